import type { Actor } from "../ledger/open-ledger.ts";
import type { Signer } from "../lib/signing.ts";
import type { DecisionFacts } from "../rules/facts.ts";

/** Who acts: decided by the rule `actor`, which said yes. */
export function actorOf({ actor }: Pick<DecisionFacts, "actor">, { signer }: { signer: Signer }): Actor {
  if (!actor.known || "problem" in actor.value) throw new TypeError("nobody acts");
  return { by: actor.value.address, signer };
}

/** The moment of what was allowed: where no clock can be believed, a rule cannot tell, and nothing is. */
export function momentIn({ now }: Pick<DecisionFacts, "now">): Date {
  if (!now.known) throw new TypeError("no moment");
  return now.value;
}
