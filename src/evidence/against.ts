import type { EvidenceFacts, GateFact } from "./facts.ts";

/**
 * What the evidence itself says against registering it. The tags of its run and the policy can say more: the reasons that `check`
 * told are not sealed, since `register` looks again. Pure.
 */
export function againstRegistering(facts: EvidenceFacts, gates: readonly GateFact[]): string[] {
  const named = (verdict: GateFact["verdict"], how: string): string[] => {
    const found = gates.filter((gate) => gate.verdict === verdict).map((gate) => gate.gate);
    return found.length === 0 ? [] : [`${how}: ${found.join(", ")}`];
  };
  return [
    ...named("fail", "failed"),
    ...named("error", "could not tell"),
    ...named("not-evaluated", "not evaluated"),
    ...(facts.commit === null ? ["the project had no commit"] : []),
    ...(facts.dirty ? ["the working tree differed from its commit"] : []),
    ...(facts.people === null ? ["who changed the code could not be told"] : []),
  ];
}
