import { judgeMetrics } from "../gates/metrics.ts";
import { normaliseAddress } from "../policy/address.ts";
import { durationMs } from "../policy/durations.ts";
import { personOf } from "../policy/identity.ts";
import { effectiveSignedBy } from "../policy/signed-by.ts";
import type { DecisionFacts, SeenEvidence } from "./facts.ts";
import { EVERYWHERE, given, type Judgement, no, type Rule, yes } from "./rule.ts";

/** Rules about the candidate: where it stands, its bytes, its evidence, the people who made it. */
export const CANDIDATE_RULES: readonly Rule[] = [
  {
    name: "order",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.standing, ({ at, expected }) =>
        at === undefined
          ? no(
              facts.action === "release"
                ? `the ledger knows no promotion of it to ${expected}`
                : `it does not stand in ${expected}, the environment before ${facts.environment.name}`,
              `factory ${facts.action === "release" ? `promote … --to ${expected}` : "promote it there first"}`,
            )
          : yes(`it stands in ${at.environment} as v${at.version.version}`),
      ),
  },
  {
    name: "version",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.standing, ({ at }) =>
        at === undefined
          ? no("there is no version to look at")
          : given(facts.version, (found) => {
              const name = `${at.environment} v${at.version.version}`;
              if (found === undefined) return no(`${name} is not in the registry any more`, "factory verify");
              if (found.createdAt !== at.version.createdAt)
                return no(
                  `${name} is not the version that the ledger knows: it was made at another time`,
                  "factory verify",
                );
              return yes(`${name} is the one that factory made`);
            }),
      ),
  },
  {
    name: "bytes",
    actions: ["promote", "release"],
    judge: (facts) =>
      given(facts.bytes, (digest) =>
        digest === facts.digest
          ? yes(`sha256:${digest.slice(0, 12)}…, read just now`)
          : no(
              `its bytes are sha256:${digest.slice(0, 12)}…, but sha256:${facts.digest.slice(0, 12)}… was registered: they were changed`,
              "factory verify; then register what was trained again",
            ),
      ),
  },
  {
    name: "evidence",
    actions: EVERYWHERE,
    judge: (facts) => {
      const again = "factory check, factory register";
      if (facts.evidenceProblem !== undefined) return no(facts.evidenceProblem, again);
      return given(facts.evidence, (evidence) => {
        const { facts: found, problems } = evidence;
        const [problem] = problems;
        if (problem !== undefined) return no(`the evidence does not hold: ${problem}`, again);
        if (found.model.digest !== facts.digest || found.model.name !== facts.model)
          return no("the evidence is about another model", again);
        if (found.project !== facts.project) return no(`the evidence is about project ${found.project}`);
        return yes(`sha256:${evidence.digest.slice(0, 12)}…, every file and signature verified`);
      });
    },
  },
  {
    name: "evidence signer",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.policy, ({ inForce: { policy } }) =>
        given(facts.evidence, ({ signedBy }) => {
          const accepted = effectiveSignedBy(policy, facts.environment.name);
          const people = signedBy.flatMap((each) => ("problem" in each ? [] : [each]));
          const good = people.find(
            (each) => each.kind !== "bot" && (accepted === undefined || accepted.includes(each.address)),
          );
          if (good !== undefined) return yes(`signed by ${good.address}`);
          const who = [
            ...people.map((each) => each.address),
            ...signedBy.flatMap((each) => ("problem" in each ? [each.problem] : [])),
          ];
          return no(
            `${facts.environment.name} accepts evidence signed by ${accepted?.join(", ") ?? "anyone in the policy"}; this was signed by ${who.join("; ") || "nobody"}`,
            "have an accepted signer register it: factory register",
          );
        }),
      ),
  },
  {
    name: "evidence age",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.rules, ({ rules }) =>
        given(facts.evidence, ({ facts: found }) =>
          given(facts.now, (now) => {
            const limit = rules.stage.evidenceTtl;
            const ageMs = now.getTime() - new Date(found.finished).getTime();
            // Evidence from the future is a clock that was wrong, on one machine or the other.
            if (ageMs < -5 * 60_000)
              return no("the evidence is dated in the future", "check the clock of the machine that ran factory check");
            if (limit === undefined) return yes(`${ageText(ageMs)} old, no limit`);
            return ageMs <= durationMs(limit)
              ? yes(`${ageText(ageMs)} old, limit ${limit}`)
              : no(`the evidence is ${ageText(ageMs)} old, the limit is ${limit}`, "factory check, factory register");
          }),
        ),
      ),
  },
  {
    name: "commit",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.evidence, ({ facts: found }) => {
        if (found.commit === null) return no("the code was in no commit", "commit, train, check and register again");
        if (found.dirty)
          return no(
            "the working tree differed from its commit when it was checked",
            "commit, train, check and register again",
          );
        return yes(`commit ${found.commit.slice(0, 12)}, nothing beside it`);
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
          if (rules.metrics.length === 0) return yes("no metric has a limit");
          return given(evidence.metrics, (metrics) => {
            const judged = judgeMetrics(rules.metrics, metrics);
            const broken = judged.filter((each) => !each.ok);
            return broken.length > 0
              ? no(
                  `what was measured misses the limits of ${facts.environment.name}: ${broken.map((each) => each.text).join("; ")}`,
                )
              : yes(judged.map((each) => each.text).join("; ") || "limits against the champion only");
          });
        }),
      ),
  },
  {
    name: "champion",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.champion, (champion) =>
        given(facts.evidence, ({ facts: { champion: compared } }) => {
          const again = "factory check, factory register: it must be compared with the champion of now";
          if (compared === "unreadable") return no("the evidence could not read the champion", again);
          if (champion === undefined)
            return compared === "first release"
              ? yes("first release: there is no champion")
              : no("it was compared with a champion that does not serve any more", again);
          if (compared === "first release")
            return no(
              `${champion.environment} v${champion.version} serves, but it was checked as a first release`,
              again,
            );
          return compared.digest === champion.digest
            ? yes(`compared with ${champion.environment} v${champion.version}, which serves`)
            : no(
                `it was compared with ${compared.environment} v${compared.version}, but ${champion.environment} v${champion.version} serves`,
                again,
              );
        }),
      ),
  },
  {
    name: "authors",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.policy, ({ inForce: { policy } }) =>
        given(facts.evidence, ({ facts: { people } }) => {
          if (people === null)
            return no(
              "who changed the code is not known: the history was incomplete",
              "check in a clone with full history, register again",
            );
          const strangers = people.people.filter(
            (each) => !each.known || personOf(policy, normaliseAddress(each.address) ?? "") === undefined,
          );
          const [first] = strangers;
          return first === undefined
            ? yes(`${people.people.map((each) => each.address).join(", ")}: all in the policy`)
            : no(
                `the policy does not know ${strangers.map((each) => each.address).join(", ")}, who changed the code`,
                `a policy owner adds under people:  ${first.address}: {}`,
              );
        }),
      ),
  },
  {
    name: "registry",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.registry, (differences) =>
        differences.length === 0
          ? yes("versions, aliases and anchor are what the ledger says")
          : no(differences.join("; "), "factory verify says more"),
      ),
  },
];

function judgeGates(required: readonly string[], evidence: SeenEvidence, facts: DecisionFacts): Judgement {
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

/** `2 h`, `3 days`: how old something is, rounded down. */
function ageText(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
