import type { LedgerPlace, LedgerStore } from "../ledger/store.ts";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { Signer } from "../lib/signing.ts";
import type { IsListed } from "../people/load-signer.ts";
import { identityOfKey } from "../policy/identity.ts";
import type { Policy } from "../policy/policy.ts";
import { policyAround } from "../project/policy-around.ts";
import { demandPlace, findLine, type Whereabouts } from "./find-line.ts";

interface KeyWorld {
  clients: { ledger(place: LedgerPlace): Promise<LedgerStore> };
  now(): Date;
  signer(options: { name: string | undefined; listed: () => Promise<IsListed> }): Promise<Signer>;
}

/** The key that signs on a line. Where no line can be, that is said first: no key would help. Throws exit 2. */
export async function signerOn(where: Whereabouts, name: string | undefined, world: KeyWorld): Promise<Signer> {
  demandPlace(where);
  return world.signer({ name, listed: keysListed(where, (place) => world.clients.ledger(place), world.now) });
}

/**
 * Which keys the policy of a line lists at a moment: the one in force, or about to be; the file's where no ledger can be reached. Asked
 * only to choose among several keys of a user: what a signature of the chosen one counts for, is judged as that of any other.
 */
function keysListed(
  where: Whereabouts,
  store: (place: LedgerPlace) => Promise<LedgerStore>,
  now: () => Date,
): () => Promise<IsListed> {
  return async () => {
    const policy = await policyOf(where, store, now());
    return policy === undefined ? () => false : listedIn(policy, now());
  };
}

export const listedIn =
  (policy: Policy, at: Date): IsListed =>
  (keyId) =>
    !("problem" in identityOfKey(policy, keyId, at));

async function policyOf(
  where: Whereabouts,
  store: (place: LedgerPlace) => Promise<LedgerStore>,
  at: Date,
): Promise<Policy | undefined> {
  try {
    const { line } = await findLine(where, store, at);
    return line.policy.known ? line.policy.value.inForce.policy : undefined;
  } catch (error) {
    // A rollback works without the ledger. Everything else the command itself meets again, and says better.
    if (error instanceof FactoryError && error.exit === EXIT.outside)
      return policyAround(where.cwd, where.policy)?.policy;
    throw error;
  }
}
