import type { EntryBody, Head } from "../ledger/entry.ts";
import { printHead } from "../ledger/entry.ts";
import type { EnvironmentState } from "../ledger/line-state.ts";
import { type TakenAway, takenAway } from "../ledger/taken-away.ts";
import { decide, outcomeOf } from "../rules/decide.ts";
import type { Verdict } from "../rules/rule.ts";
import { countApprovals, settingOf } from "../rules/rules-approvals.ts";
import type { Gathered, Question } from "./gather.ts";

/** What a promotion would do, and whether it may: the same plan for the screen, --dry-run, the ledger and the decision. */
export interface PromotionPlan {
  verdicts: readonly Verdict[];
  outcome: Verdict["verdict"];
  /** Head of the ledger that it was made on, `seq:hash`. */
  seen: string;
  model: string;
  digest: string;
  evidence: string;
  from: { environment: string; version: string };
  to: { environment: string; name: string /** Set when the bytes are there already. */; version: string | undefined };
  ticket: string | undefined;
  /** Who serves at the target now; it stays until a release. */
  champion: string | undefined;
  /** What served there last, where nothing does. */
  gone: TakenAway | undefined;
  files: number;
  bytes: number;
  /** The entry that starts it; undefined when it may not be started. */
  start: EntryBody<"promotion.started"> | undefined;
}

/** Decides, and says what would be written. Pure. */
export function planPromotion(
  question: Question,
  gathered: Gathered,
  state: EnvironmentState,
  head: Head,
): PromotionPlan {
  const { facts, target, model } = gathered;
  const verdicts = decide(facts);
  const outcome = outcomeOf(verdicts);
  const standing = facts.standing.known ? facts.standing.value.at : undefined;
  return {
    verdicts,
    outcome,
    seen: printHead(head),
    model: facts.model,
    digest: facts.digest,
    evidence: question.candidate.evidence,
    from: { environment: gathered.source.name, version: standing?.version.version ?? "?" },
    to: { environment: target.name, name: gathered.name, version: gathered.present },
    ticket: question.ticket,
    champion: state.champion?.version,
    gone: takenAway(state),
    files: model?.files.length ?? 0,
    bytes: model?.bytes ?? 0,
    start: outcome === "yes" && standing !== undefined ? startOf(question, gathered, standing, verdicts) : undefined,
  };
}

function startOf(
  question: Question,
  { facts, name, highest }: Gathered,
  standing: { environment: string; version: { version: string } },
  verdicts: readonly Verdict[],
): EntryBody<"promotion.started"> | undefined {
  if (!facts.rules.known || !facts.policy.known) return undefined;
  return {
    model: facts.model,
    digest: facts.digest,
    environment: facts.environment.name,
    evidence: question.candidate.evidence,
    from: { environment: standing.environment, version: standing.version.version },
    target: name,
    highest,
    rules: facts.rules.value.digest,
    policy: facts.policy.value.inForce.digest,
    ...(question.ticket !== undefined && { ticket: question.ticket }),
    approvals: countingApprovals(facts),
    verdicts: verdicts.map(({ rule, verdict, why }) => ({ rule, verdict, why })),
  };
}

/** Hashes of the approvals that count for a decision, in their order; all that count, also beyond the number asked for. Pure. */
export function countingApprovals(facts: Gathered["facts"]): string[] {
  const setting = settingOf(facts);
  if (!setting.known || !facts.approvals.known) return [];
  return countApprovals(facts.approvals.value, setting.value)
    .filter((each) => each.problem === undefined)
    .map((each) => each.approval.hash);
}
