import { inMemory } from "../ledger/in-memory.ts";
import type { LedgerPlace, LedgerStore } from "../ledger/store.ts";
import type { Report } from "../lib/progress.ts";
import type { Signer } from "../lib/signing.ts";
import { type FoundLine, findLine, type Whereabouts } from "../line/find-line.ts";
import { identityOfKey } from "../policy/identity.ts";
import { appendPending } from "./record-pending.ts";

export interface OpenedLine extends FoundLine {
  /** Entries that were written for rollbacks that waited. */
  recorded: readonly number[];
}

export interface WritingWorld {
  clients: { ledger(place: LedgerPlace): Promise<LedgerStore> };
  now(): Date;
  dryRun: boolean;
  report: Report;
}

/**
 * The line that a writing command is about, after what this signer did while the ledger could not be reached was put into it, which
 * is reported. A dry run puts it into a copy in memory, so that it plans what the command would find. `unfinished`: what to do
 * about a rollback that was cut off then.
 */
export async function openForWriting(
  where: Whereabouts,
  signer: Signer,
  { clients, now, dryRun, report }: WritingWorld,
  unfinished: "refuse" | "leave" = "refuse",
): Promise<OpenedLine> {
  const open = (place: LedgerPlace) => clients.ledger(place);
  const store = dryRun ? inMemory(open) : open;
  const recorded: number[] = [];
  const done = new Set<string>();
  for (;;) {
    const found = await findLine(where, store, now());
    const { line, folder } = found;
    const result = { ...found, recorded: dryRun ? [] : recorded };
    if (!line.policy.known || line.view.problems.length > 0) return result;
    const identity = identityOfKey(line.policy.value.inForce.policy, signer.keyId, now());
    if ("problem" in identity) return result;
    const actor = { by: identity.address, signer };
    const settled = await appendPending(folder, line, actor, now(), { unfinished, dryRun, done });
    if (settled === undefined) return result;
    done.add(settled.path);
    const { entries, started } = settled;
    recorded.push(...entries);
    if (entries.length > 0)
      report({
        type: "note",
        tone: "warning",
        text: `the rollback of v${started.from.version} in ${started.environment} that ${dryRun ? "waits would be" : "waited was"} written into the ledger${dryRun ? " first" : ""}: entr${entries.length === 1 ? "y" : "ies"} ${entries.join(", ")}`,
      });
  }
}
