import type { EntryBody, Head, PlacedVersion, RollbackTarget } from "../ledger/entry.ts";
import { printHead } from "../ledger/entry.ts";
import type { EnvironmentState } from "../ledger/line-state.ts";
import { type TakenAway, takenAway } from "../ledger/taken-away.ts";
import type { Gathered, Question } from "../promotion/gather.ts";
import { countingApprovals } from "../promotion/plan-promotion.ts";
import { decide, outcomeOf } from "../rules/decide.ts";
import { no, type Verdict, yes } from "../rules/rule.ts";

/** What a release would do, and whether it may. */
export interface ReleasePlan {
  verdicts: readonly Verdict[];
  outcome: Verdict["verdict"];
  seen: string;
  model: string;
  digest: string;
  evidence: string;
  environment: string;
  name: string;
  version: string;
  strategy: string;
  /** Who serves now. */
  champion: PlacedVersion | undefined;
  /** What served last, where nothing does. */
  gone: TakenAway | undefined;
  rollback: RollbackTarget;
  /** Serving endpoint whose requests would go to it; undefined: jobs read the alias. */
  endpoint: string | undefined;
  ticket: string | undefined;
  start: EntryBody<"release.started"> | undefined;
}

export type SignatureVerdict = "compatible" | "not compatible" | "not stated";

/**
 * Decides again, fixes the rollback target, and says what would be written. `signature`: whether the version that serves now
 * could take the inputs of the new one, so that a rollback would not break its callers. `endpointVerdict`: whether a serving
 * endpoint is this environment's alone. Pure.
 */
export function planRelease(
  question: Question,
  gathered: Gathered,
  state: EnvironmentState,
  strategy: string,
  signature: SignatureVerdict,
  endpointVerdict: Verdict | undefined,
  head: Head,
): ReleasePlan {
  const { facts, name } = gathered;
  const standing = facts.standing.known ? facts.standing.value.at : undefined;
  const version = standing?.version.version ?? "?";
  const champion = state.champion && placed(state.champion);
  const gone = takenAway(state);
  const serves = champion?.version === version && champion?.digest === facts.digest;
  const rollback: RollbackTarget = champion === undefined ? "none" : { ...champion, signature };
  const endpoint = facts.rules.known ? facts.rules.value.rules.endpoint : undefined;
  const firstRelease = facts.rules.known ? facts.rules.value.rules.firstRelease : "deny";
  const verdicts: Verdict[] = [
    ...decide({ ...facts, strategy }),
    { rule: "rollback target", ...rollbackVerdict(rollback, firstRelease, serves, gone) },
    ...(endpointVerdict === undefined ? [] : [endpointVerdict]),
  ];
  const outcome = outcomeOf(verdicts);
  return {
    verdicts,
    outcome,
    seen: printHead(head),
    model: facts.model,
    digest: facts.digest,
    evidence: question.candidate.evidence,
    environment: facts.environment.name,
    name,
    version,
    strategy,
    champion,
    gone,
    rollback,
    endpoint,
    ticket: question.ticket,
    start:
      outcome === "yes" && facts.rules.known && facts.policy.known
        ? {
            model: facts.model,
            digest: facts.digest,
            environment: facts.environment.name,
            version,
            strategy,
            evidence: question.candidate.evidence,
            rules: facts.rules.value.digest,
            policy: facts.policy.value.inForce.digest,
            ...(question.ticket !== undefined && { ticket: question.ticket }),
            approvals: countingApprovals(facts),
            champion: champion ?? "none",
            rollback,
            ...(endpoint !== undefined && { endpoint }),
            verdicts: verdicts.map(({ rule, verdict, why }) => ({ rule, verdict, why })),
          }
        : undefined,
  };
}

function rollbackVerdict(
  rollback: RollbackTarget,
  firstRelease: "withdraw" | "deny",
  serves: boolean,
  gone: TakenAway | undefined,
) {
  if (serves) return yes("it serves already");
  const none = gone === undefined ? "first release" : `none serves since v${gone.version} was rolled back`;
  if (rollback === "none")
    return firstRelease === "withdraw"
      ? yes(`${none}: a rollback removes champion, and scoring then refuses`)
      : no(
          `${none}, and the policy denies a release without a rollback target`,
          "firstRelease: withdraw in the risk tier, if the business can be without a model",
        );
  const said = {
    compatible: "signature compatible",
    "not compatible":
      "signature not compatible: it needs inputs that this version does not take, so callers must change with it",
    "not stated": "no signature to compare",
  } as const;
  return yes(`v${rollback.version} (${said[rollback.signature]})`);
}

function placed({ version, digest, createdAt }: PlacedVersion): PlacedVersion {
  return { version, digest, createdAt };
}
