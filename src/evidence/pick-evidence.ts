import type { GateFact } from "./facts.ts";
import type { Evidence } from "./read-evidence.ts";

export interface Picked {
  evidence: Evidence;
  /** What a newer partial check says against it. */
  against: readonly string[];
  /** The newest of the partial checks that came after it and count for nothing. */
  newer: Evidence | undefined;
}

/**
 * Of the evidence about one run the newest that is complete: a check of some gates never hides it. A newer complete one is
 * never passed over, whatever it found, and a gate that did not pass in a newer partial one stands against it: no choice may
 * bring older results past newer ones. Without a complete one the newest. Undefined when there is none. Pure.
 */
export function pickEvidence(
  all: readonly Evidence[],
  required: readonly string[],
  /** Digest of what was sealed last: the newest, whatever the clock was at. */
  latest: string | undefined,
): Picked | undefined {
  const byAge = [...all].sort(
    (a, b) =>
      Number(b.digest === latest) - Number(a.digest === latest) ||
      Date.parse(b.facts.finished) - Date.parse(a.facts.finished) ||
      // What was attached later extends what was there: the same check, more files.
      b.files.length - a.files.length ||
      (a.digest < b.digest ? -1 : 1),
  );
  const [newest] = byAge;
  if (newest === undefined) return undefined;
  const at = byAge.findIndex((each) => isComplete(each, required));
  const complete = byAge[at];
  if (complete === undefined) return { evidence: newest, against: [], newer: undefined };
  const partial = byAge.slice(0, at);
  return { evidence: complete, against: partial.flatMap(badGates), newer: partial[0] };
}

function isComplete(evidence: Evidence, required: readonly string[]): boolean {
  return required.every((gate) => evidence.gates.some((each) => each.gate === gate && isEvaluated(each)));
}

function isEvaluated({ verdict }: GateFact): boolean {
  return verdict !== "not-evaluated";
}

function badGates(evidence: Evidence): string[] {
  return evidence.gates
    .filter((each) => isEvaluated(each) && each.verdict !== "pass")
    .map(
      ({ gate, verdict }) =>
        `the newer evidence sha256:${evidence.digest.slice(0, 12)}…, of a check of some gates, says of ${gate}: ${verdict === "fail" ? "failed" : "could not tell"}`,
    );
}
