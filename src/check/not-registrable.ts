import type { EvidenceFacts } from "../evidence/facts.ts";
import type { GateResult } from "../gates/gate.ts";
import type { ChangedBy } from "../people/changed-by.ts";

/** Every reason why evidence could not be registered as it stands; empty when it could. Pure. */
export function notRegistrable(
  verdict: "pass" | "fail" | "error",
  gates: readonly GateResult[],
  facts: EvidenceFacts,
  runTags: Readonly<Record<string, string>>,
  people: ChangedBy | undefined,
): string[] {
  const left = gates.filter((gate) => gate.verdict === "not-evaluated").map((gate) => gate.gate);
  const trainedOn = Object.entries(runTags).flatMap(([key, value]) =>
    key.startsWith("factory.data.") ? [{ path: key.slice("factory.data.".length), value }] : [],
  );
  const differing = trainedOn.filter((file) =>
    facts.data.some((each) => each.path === file.path && each.sha256 !== file.value.replace(/^sha256[:=]/, "")),
  );
  return [
    ...(verdict === "pass" ? [] : ["not every gate passed"]),
    ...(left.length > 0 ? [`not evaluated: ${left.join(", ")}`] : []),
    ...(facts.commit === null ? ["the project has no commit"] : []),
    ...(facts.dirty ? ["the working tree differs from its commit: commit, train and check again"] : []),
    ...(runTags["factory.dirty"] === "true"
      ? ["the run was trained on a tree that differs from its commit: commit and train again"]
      : []),
    ...(facts.commit !== null && runTags["factory.commit"] !== undefined && runTags["factory.commit"] !== facts.commit
      ? [
          `the run was trained at commit ${runTags["factory.commit"].slice(0, 12)}, checked at ${facts.commit.slice(0, 12)}: train again`,
        ]
      : []),
    ...differing.map((file) => `${file.path} is not what the run was trained on: train again`),
    ...(people === undefined
      ? ["the history of the code is incomplete: who changed it cannot be told (fetch it whole: git fetch --unshallow)"]
      : []),
  ];
}
