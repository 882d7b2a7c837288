import { GATE_NAMES } from "../policy/policy.ts";
import type { EvidenceFacts, GateFact } from "./facts.ts";

/**
 * What the evidence itself says against registering it. The tags of its run and the policy can say more: the reasons that `check`
 * told are not sealed, since `register` looks again. Pure.
 */
export function againstRegistering(facts: EvidenceFacts, gates: readonly GateFact[]): string[] {
  return [
    ...gatesAgainst(gates),
    ...(facts.commit === null ? ["the project had no commit"] : []),
    ...(facts.dirty ? ["the working tree differed from its commit"] : []),
    ...(facts.people === null ? ["who changed the code could not be told"] : []),
  ];
}

/** The gates that did not pass, by what they said, in the order in which they run. Pure. */
export function gatesAgainst(gates: readonly Pick<GateFact, "gate" | "verdict">[]): string[] {
  if (gates.length === 0) return ["there is no gate in the check"];
  const order: readonly string[] = GATE_NAMES;
  const inOrder = gates.toSorted((a, b) => order.indexOf(a.gate) - order.indexOf(b.gate));
  const named = (verdict: GateFact["verdict"], how: string): string[] => {
    const found = inOrder.filter((gate) => gate.verdict === verdict).map((gate) => gate.gate);
    return found.length === 0 ? [] : [`${how}: ${found.join(", ")}`];
  };
  return [...named("fail", "failed"), ...named("error", "could not tell"), ...named("not-evaluated", "not evaluated")];
}
