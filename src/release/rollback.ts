import { rollbackEndpointProblem } from "../ledger/endpoints.ts";
import type { Fact } from "../ledger/entry.ts";
import { rollbackProblem } from "../ledger/fits.ts";
import { type EntryOf, lineState } from "../ledger/line-state.ts";
import type { Actor } from "../ledger/open-ledger.ts";
import { changedError, EXIT, FactoryError, usageError } from "../lib/error.ts";
import { appendOnLine } from "../line/append.ts";
import { demandFree } from "../line/demand-free.ts";
import type { Line } from "../line/line.ts";
import { giveUp } from "../line/resume.ts";
import type { Environment } from "../policy/policy.ts";
import { unknownEnvironment } from "../policy/unknown-environment.ts";
import { registeredName } from "../registry/registry.ts";
import { no } from "../rules/rule.ts";
import { answerIfDone } from "./answer-if-done.ts";
import { carryOut } from "./carry-out-rollback.ts";
import { type Attempt, actorIn, type GatheredRollback, gatherRollback, planFrom } from "./gather-rollback.ts";
import { abandonedFor, planOf, type RollbackPlan } from "./plan-rollback.ts";
import type { RollbackResult, Unwritten } from "./rollback-result.ts";
import { type RollbackRequest, sameWords, sayOthersWords, wordsOf } from "./rollback-words.ts";
import type { ReleaseWorld } from "./world.ts";

const TRIES = 5;

/**
 * Moves `champion` back to the target that was fixed at release, after reading every byte of it (where bytes are fixed: what was
 * recorded of them). No freeze, ticket or approval stops it; a release that is half done in the same environment is abandoned.
 */
export async function rollback(
  request: RollbackRequest,
  line: Line,
  reopen: () => Promise<Line>,
  world: ReleaseWorld,
  dryRun: boolean,
): Promise<RollbackResult | Unwritten> {
  const environment = environmentOf(line, request.environment);
  const registry = await world.registry(environment);
  const place = { environment, registry, name: registeredName(environment.catalog, line.model) };
  for (let attempt = 0, now = line; attempt < TRIES; attempt++, now = await reopen()) {
    const state = now.state.environment(environment.name);
    const result = await tryOnce({ request, line: now, state, place, world, dryRun });
    if (result !== undefined) return result;
  }
  throw changedError("ledger.busy", "the ledger moved again and again", "run the same command again");
}

/** Undefined: the ledger moved before anything was written. */
async function tryOnce(attempt: Attempt): Promise<RollbackResult | Unwritten | undefined> {
  const { request, state, world, dryRun } = attempt;
  // A promotion that is half done moves no champion, so it is left alone.
  const open = state.open.filter((each) => each.kind === "rollback.started");
  const [first] = open;
  const misfit = first && (rollbackProblem(state, first.body) ?? rollbackEndpointProblem(state, first.body));
  // It leads nowhere, whoever began it and when: there is nothing to wait for.
  if (first !== undefined && misfit !== undefined) return endMisfit(attempt, first, misfit);
  // Whoever else is at it with this key does the very same, step by step: a rollback does not wait.
  const { keyId: key } = world.signer;
  const mine = { kind: "rollback.started" as const, digest: first?.body.digest ?? "", key, cutOff: () => true };
  const resumed = demandFree(open, mine, world.now());
  if (resumed === undefined) {
    const done = await answerIfDone(attempt);
    if (done !== undefined) return done.kind === "moved" ? undefined : done;
  } else if (!sameWords(resumed.body, request)) {
    sayOthersWords(world.report, `entry ${resumed.seq}`);
  }
  const gathered = await gatherRollback(attempt, resumed);
  if (gathered.kind === "unwritten") return gathered;
  const plan = planFrom(attempt, resumed, gathered);
  const words = resumed === undefined ? wordsOf(request) : wordsOf(resumed.body);
  if (plan.start === undefined) return { kind: "refused", plan, words };
  if (dryRun) return { kind: "planned", plan, words, again: false };
  return begin(attempt, plan, resumed, gathered);
}

/** A start that does not fit what the chain says is ended without its effect: exit 5. */
async function endMisfit(
  { line, world, dryRun, request }: Attempt,
  resumed: EntryOf<"rollback.started">,
  misfit: string,
): Promise<RollbackResult> {
  const identity = actorIn(line, world.signer.keyId, world.now());
  if (dryRun) {
    const why = `what entry ${resumed.seq} (${resumed.kind}) began cannot be carried on (${misfit}): a run abandons it, and ends with exit 5`;
    const verdicts = [{ rule: "begun", ...no(why, "run it, then run it again: it is decided anew") }];
    return { kind: "refused", plan: { ...planOf(resumed.body, verdicts), outcome: "no" }, words: wordsOf(request) };
  }
  if ("problem" in identity)
    throw changedError(
      "begun.stale",
      `entry ${resumed.seq} ${misfit}`,
      `factory promote --abandon --to ${request.environment} --reason "WHY"`,
    );
  return giveUp(resumed, misfit, line, { by: identity.address, signer: world.signer }, world.now());
}

async function begin(
  { request, line, place, world }: Attempt,
  plan: RollbackPlan,
  resumed: EntryOf<"rollback.started"> | undefined,
  { at, halfDone }: GatheredRollback,
): Promise<RollbackResult | Unwritten | undefined> {
  if (plan.start === undefined) throw new TypeError("nothing is to be begun");
  const identity = actorIn(line, world.signer.keyId, at);
  if ("problem" in identity) throw new TypeError("nobody acts");
  const actor: Actor = { by: identity.address, signer: world.signer };
  const facts: Fact[] = [
    ...halfDone.map(({ seq }) => abandonedFor(request.reason, seq, place.environment.name)),
    { kind: "rollback.started", body: plan.start },
  ];
  const append = () => appendOnLine(line, facts, actor, at, world.report);
  const entries = resumed === undefined ? await append().catch(unwritten) : [];
  if (entries === undefined || "kind" in entries) return entries;
  const started = resumed ?? entries.at(-1);
  if (started?.kind !== "rollback.started") throw new TypeError("a start came back as another kind");
  const all = [...line.view.entries, ...entries];
  const head = { seq: started.seq, hash: started.hash };
  const after = { ...line, view: { ...line.view, entries: all, head }, state: lineState(all) };
  const entry = await carryOut(started, after, place, actor, world);
  return { kind: "rolledback", plan, words: wordsOf(entry.body), entry, resumed: resumed !== undefined };
}

function unwritten(error: unknown): Unwritten {
  if (error instanceof FactoryError && error.exit === EXIT.outside) return { kind: "unwritten", cause: error };
  throw error;
}

function environmentOf(line: Line, name: string): Environment {
  if (!line.policy.known) throw usageError("policy.none", line.policy.why, line.policy.fix);
  const { environments } = line.policy.value.inForce.policy;
  const found = environments.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw unknownEnvironment(
    name,
    environments.map((each) => each.name),
  );
}
