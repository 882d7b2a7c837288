import type { LedgerPlace, LedgerStore } from "../ledger/store.ts";
import type { Signer } from "../lib/signing.ts";
import { identityOfKey } from "../policy/identity.ts";
import { type FoundLine, findLine, type Whereabouts } from "../promotion/find-line.ts";
import { appendPending } from "./pending.ts";

/**
 * The line that a writing command is about, after what this signer did while the ledger could not be reached was put into it. A
 * dry run puts nothing there. `unfinished`: what to do about a rollback that was cut off then.
 */
export async function openForWriting(
  where: Whereabouts,
  store: (place: LedgerPlace) => Promise<LedgerStore>,
  signer: Signer,
  now: () => Date,
  dryRun: boolean,
  unfinished: "refuse" | "leave" = "refuse",
): Promise<FoundLine> {
  for (;;) {
    const found = await findLine(where, store, now());
    const { line, folder } = found;
    if (dryRun || !line.policy.known || line.view.problems.length > 0) return found;
    const identity = identityOfKey(line.policy.value.inForce.policy, signer.keyId, now());
    if ("problem" in identity) return found;
    if (!(await appendPending(folder, line, { by: identity.address, signer }, now(), unfinished))) return found;
  }
}
