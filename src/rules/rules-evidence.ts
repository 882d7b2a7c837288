import type { EvidenceFacts } from "../evidence/facts.ts";
import { CLOCK_TOLERANCE_MS } from "../ledger/judge.ts";
import { normaliseAddress } from "../policy/address.ts";
import { durationMs } from "../policy/durations.ts";
import { personOf } from "../policy/identity.ts";
import { effectiveSignedBy } from "../policy/signed-by.ts";
import type { ServingChampion } from "./facts.ts";
import { cannotTell, EVERYWHERE, given, no, type Rule, yes } from "./rule.ts";

/** Rules about the evidence: whether it holds, who signed it, of when and of which code it is, and who made that. */
export const EVIDENCE_RULES: readonly Rule[] = [
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
            if (!(ageMs >= -CLOCK_TOLERANCE_MS))
              return no("the evidence is dated in the future", "check the clock of the machine that ran factory check");
            if (limit === undefined) return yes(`${ageText(ageMs)} old, no limit`);
            return ageMs <= durationMs(limit)
              ? yes(`${ageText(ageMs)} old, limit ${limit}`)
              : no(`the evidence is ${ageText(ageMs)} old, the limit is ${limit}`, checkAgain(found));
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
    name: "champion",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.champion, (champion) =>
        given(facts.evidence, ({ facts: found }) => {
          const { champion: compared } = found;
          const again = `${checkAgain(found)}: it must be compared with the champion of now`;
          if (compared === "unreadable") return no("the evidence could not read the champion", again);
          if (champion === undefined)
            return compared === "first release"
              ? yes("first release: there is no champion")
              : no("it was compared with a champion that does not serve any more", again);
          // What serves is this very candidate, in an environment before: it was compared with what served until then.
          if (champion.digest === facts.digest) return yes(`it serves itself in ${champion.environment}`);
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
        given(facts.evidence, ({ facts: found }) => {
          const { people, commit } = found;
          if (people === null)
            return no(
              "who changed the code is not known: the history was incomplete",
              "check in a clone with full history, register again",
            );
          const { since } = people;
          if (since !== null) {
            if (!facts.champion.known) return cannotTell(facts.champion.why, facts.champion.fix);
            const problem = sinceProblem(since, facts.champion.value, policy.environments.at(-1)?.name);
            if (problem !== undefined) return no(problem, checkAgain(found));
          }
          if (people.people.length === 0 && (since === null || since !== commit))
            return no("the evidence names nobody who changed the code", checkAgain(found));
          const strangers = people.people.filter(
            (each) => !each.known || personOf(policy, normaliseAddress(each.address) ?? "") === undefined,
          );
          const [first] = strangers;
          return first === undefined
            ? yes(
                people.people.length === 0
                  ? "nobody changed the code since the champion"
                  : `${people.people.map((each) => each.address).join(", ")}: all in the policy`,
              )
            : no(
                `the policy does not know ${strangers.map((each) => each.address).join(", ")}, who changed the code`,
                `a policy owner adds it: to the aliases of the person whom it belongs to; for somebody new under people:  ${first.address}: {}`,
              );
        }),
      ),
  },
];

/** By itself check judges the latest run, which may be that of a newer version. */
function checkAgain({ run, commit }: EvidenceFacts): string {
  const at = commit === null ? "" : `at commit ${commit.slice(0, 12)}: `;
  return `${at}factory check --run ${run.id.slice(0, 8)}, factory register`;
}

/**
 * Why people are not known from far enough back; undefined when they are. What serves in the last environment was approved by
 * somebody else than its authors; of nothing else is that known, nor from what a tag in a registry says of its commit. Pure.
 */
function sinceProblem(
  since: string,
  champion: ServingChampion | undefined,
  last: string | undefined,
): string | undefined {
  const from = `the evidence names only those who changed the code since ${since.slice(0, 12)}`;
  if (champion === undefined || champion.environment !== last)
    return `${from}, but nothing serves in ${last}: everybody counts who ever changed it`;
  return champion.commits.includes(since)
    ? undefined
    : `${from}, which is not the commit of ${champion.environment} v${champion.version} by the ledger`;
}

/** `2 h`, `3 days`: how old something is, rounded down. */
function ageText(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
