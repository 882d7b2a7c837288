import { catchUpAnchor } from "../line/anchor.ts";
import { yes } from "../rules/rule.ts";
import { moveBack } from "./carry-out-rollback.ts";
import { type Attempt, gatherRollback, planFrom } from "./gather-rollback.ts";
import { planOf } from "./plan-rollback.ts";
import type { RollbackResult, Unwritten } from "./rollback-result.ts";
import { sameWords, sayOthersWords, wordsOf } from "./rollback-words.ts";
import { type Done, rolledBackAlready } from "./rolled-back-already.ts";

/** Something else happened meanwhile: it has to be looked at again from the start. */
interface Moved {
  kind: "moved";
}

/** What the command says when the rollback that is meant was done before: champion is looked at, and put back if it was moved by hand. */
export async function answerIfDone(attempt: Attempt): Promise<RollbackResult | Unwritten | Moved | undefined> {
  const { request, line, state, place, world, dryRun } = attempt;
  if (state.served.at(-1)?.entry.kind !== "rolledback") return undefined;
  const { registry, name } = place;
  const model = await registry.model(name, true);
  const done = rolledBackAlready(request, line, world.signer.keyId, model);
  if (done === undefined) return undefined;
  const { entry, started, astray } = done;
  const words = wordsOf(entry.body);
  if (astray) return putBack(attempt, done, model?.aliases.champion);
  const why = `entry ${entry.seq} is this very rollback, in the same words: nothing is left to do`;
  const verdicts = dryRun ? [{ rule: "serving", ...yes(why) }] : [];
  const plan = planOf(started.body, verdicts);
  if (dryRun) return { kind: "planned", plan, words, again: true };
  await catchUp(attempt, entry);
  return { kind: "rolledback", plan, words, entry, resumed: true };
}

/** Champion was moved by hand after a rollback. The ledger says already where it belongs: nothing is recorded. */
async function putBack(
  attempt: Attempt,
  { entry, started }: Done,
  alias: string | undefined,
): Promise<RollbackResult | Unwritten | Moved> {
  const { request, line, place, world, dryRun } = attempt;
  const words = wordsOf(entry.body);
  const gathered = await gatherRollback(attempt, started);
  if (gathered.kind === "unwritten") return gathered;
  const decided = planFrom(attempt, started, gathered);
  const stood = alias === undefined ? "away" : `on v${alias}`;
  const to = started.body.to === "none" ? "none" : `v${started.body.to.version}`;
  const serving = `champion was put ${stood} by hand after the rollback of entry ${entry.seq}: it goes back to ${to}`;
  const verdicts = decided.verdicts.map((each) =>
    each.rule === "serving" && each.verdict === "yes" ? { ...each, why: serving } : each,
  );
  const plan = { ...planOf(started.body, verdicts), outcome: decided.outcome };
  if (plan.outcome === "no") return { kind: "refused", plan, words };
  if (dryRun) return { kind: "planned", plan, words, again: true };
  // No entry goes before the alias here. A release writes its start first: where none is, no release moved champion.
  const [model, view] = [await place.registry.model(place.name, true), await line.ledger.view()];
  if (model?.aliases.champion !== alias || view.head.hash !== line.view.head.hash) return { kind: "moved" };
  const text = `champion was put ${stood} by hand after the rollback of entry ${entry.seq}: it is moved back to ${to}`;
  world.report({ type: "note", tone: "warning", text: `${text}. Who moved it is not in the ledger: find out` });
  if (!sameWords(entry.body, request)) sayOthersWords(world.report, `entry ${entry.seq}`);
  await moveBack(started, line, place, world);
  await catchUp(attempt, entry);
  return { kind: "rolledback", plan, words, entry, resumed: true };
}

async function catchUp({ line, place }: Attempt, entry: Done["entry"]): Promise<void> {
  const { environment, registry, name } = place;
  const policy = line.policy.known ? line.policy.value.inForce.digest : "";
  await catchUpAnchor(registry, name, { environment: environment.name, entries: line.view.entries }, entry, policy);
}
