import { judgeBaseline } from "../gates/baseline.ts";
import { judgeMetrics, type Metric } from "../gates/metrics.ts";
import type { MetricRule } from "../project/project.ts";
import type { DecisionFacts, SeenEvidence } from "./facts.ts";
import { EVERYWHERE, given, type Judgement, no, type Rule, yes } from "./rule.ts";

/** Rules about what was measured: by which rules, the gates, the limits. */
export const GATE_RULES: readonly Rule[] = [
  {
    name: "rules",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.rules, ({ rules, digest }) => {
        // The factory.yaml in the evidence has a say in the rules: one that speaks of something else could loosen them.
        const wrong = [
          [rules.project === facts.project, `project ${rules.project}`],
          [rules.model === facts.model, `model ${rules.model}`],
          [rules.environment === facts.environment.name, `environment ${rules.environment}`],
        ].flatMap(([fits, what]) => (fits === true ? [] : [what]));
        if (wrong.length > 0)
          return no(
            `the rules are those of ${wrong.join(", ")}: the factory.yaml that was checked is about something else`,
            "factory check, factory register",
          );
        if (rules.riskTier === "pilot") return no("no risk tier, so no rules", "a policy owner lists the project");
        return yes(`risk tier ${rules.riskTier}, sha256:${digest.slice(0, 12)}…`);
      }),
  },
  {
    name: "gates",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.rules, ({ rules }) => given(facts.evidence, (evidence) => judgeGates(rules.gates, evidence, facts))),
  },
  {
    name: "thresholds",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.rules, ({ rules }) =>
        given(facts.evidence, (evidence) => {
          if (rules.metrics.length === 0)
            return rules.gates.includes("model")
              ? no(
                  "the gate model is asked for, and the factory.yaml that was checked limits no metric",
                  "limits under gates.model.metrics, then check and register again",
                )
              : yes("no metric has a limit, and the gate model is not asked for");
          return given(evidence.metrics, (metrics) => {
            const judged = judgeMetrics(rules.metrics, metrics);
            const broken = [
              ...judged.filter((each) => !each.ok).map((each) => each.text),
              ...againstChampion(rules.metrics, metrics, evidence),
            ];
            return broken.length > 0
              ? no(
                  `what was measured misses the limits of ${facts.environment.name}: ${broken.join("; ")}`,
                  "train a better one, or have the limits changed",
                )
              : yes(judged.map((each) => each.text).join("; ") || "limits against the champion only");
          });
        }),
      ),
  },
];

/** What misses the limits against the champion: an environment may have such limits of its own, which no check has judged. */
function againstChampion(rules: readonly MetricRule[], metrics: readonly Metric[], evidence: SeenEvidence): string[] {
  const { champion } = evidence.facts;
  if (typeof champion === "string" || !rules.some((each) => each.champion !== undefined)) return [];
  const { environment, version, digest } = champion;
  const outcome = judgeBaseline(rules, metrics, {
    kind: "version",
    environment,
    version,
    digest,
    commit: undefined,
    folder: "",
  });
  return outcome.verdict === "pass" ? [] : (outcome.findings ?? []).map((each) => each.message);
}

function judgeGates(required: readonly string[], evidence: SeenEvidence, facts: DecisionFacts): Judgement {
  // Promise number one: where no check is defined, the answer is no.
  if (required.length === 0)
    return no(
      `the policy asks for no gate in ${facts.environment.name}: nothing would be checked`,
      "a policy owner lists gates for this tier and environment",
    );
  const names = evidence.gates.map((gate) => gate.gate);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    return no(`the gate ${twice} stands twice in the evidence`, "factory check, factory register");
  const missing = required.filter((name) => !evidence.gates.some((gate) => gate.gate === name));
  if (missing.length > 0)
    return no(
      `${facts.environment.name} asks for the gate${missing.length > 1 ? "s" : ""} ${missing.join(", ")}, which the evidence does not hold`,
      "factory check with all gates, factory register",
    );
  // A gate that nobody asked for may be left out, but one that was run and did not pass is never looked over.
  const bad = evidence.gates.filter((gate) => gate.verdict !== "pass");
  const [first] = bad;
  return first === undefined
    ? yes(`${evidence.gates.length} gates: all pass`)
    : no(
        `${bad.map((gate) => `${gate.gate}: ${gate.verdict}`).join(", ")}`,
        "mend it; train, check and register again",
      );
}
