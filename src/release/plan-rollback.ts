import { type EntryBody, type Fact, numberOf, type PlacedVersion, type RollbackTarget } from "../ledger/entry.ts";
import { wayBackProblem } from "../ledger/fits.ts";
import type { EntryOf, EnvironmentState, LineState } from "../ledger/line-state.ts";
import type { TakenAway } from "../ledger/taken-away.ts";
import { cutTo } from "../lib/cut-to.ts";
import type { Identity } from "../policy/identity.ts";
import { HOW_SEEN, type SeenBytes } from "../rules/facts.ts";
import { no, type Verdict, yes } from "../rules/rule.ts";
import type { RollbackRequest } from "./rollback-words.ts";

export interface RollbackFacts {
  model: string;
  /** Who serves now, by the ledger; where it cannot be used, by the registry, which may not know the way back. */
  serving: (PlacedVersion & { rollback: RollbackTarget | undefined; released: number | undefined }) | undefined;
  /** The rollback since which it serves, when that is the last thing that happened. Without a number: the ledger does not have it yet. */
  since: { seq?: number | undefined; at: string; by: string } | undefined;
  /** What served last, where by the ledger nothing does. */
  takenAway?: TakenAway | undefined;
  /** Champion by the registry. */
  alias: string | undefined;
  /** A release that was begun and has not moved the alias: what is meant to be undone does not serve. */
  halfDone: { seq: number; version: string } | undefined;
  /** Serving endpoint whose requests go to who serves now. */
  endpoint: string | undefined;
  actor: Identity | { problem: string; fix?: string };
  firstRelease: "withdraw" | "deny";
  /** `isOurs`: it holds what the ledger tells of, and is not another one in its place. Absent: the ledger cannot be used. */
  registry?: { place: string; isOurs: boolean };
  /** The target as the registry has it: undefined when it is gone, or there is none. */
  target: (SeenBytes & { createdAt: number }) | undefined;
}

export interface RollbackPlan {
  verdicts: readonly Verdict[];
  outcome: "yes" | "no";
  environment: string;
  from: PlacedVersion | undefined;
  to: PlacedVersion | "none" | undefined;
  start: EntryBody<"rollback.started"> | undefined;
}

/** The rules of a rollback: few, and no freeze, ticket or approval among them. Pure. */
export function planRollback(request: RollbackRequest, facts: RollbackFacts): RollbackPlan {
  const { serving, actor, target, firstRelease } = facts;
  const to = serving?.rollback;
  const verdicts: Verdict[] = [
    {
      rule: "serving",
      ...servingVerdict(request.environment, facts),
    },
    // Of what does not serve there is nothing more to say.
    ...(serving === undefined ? [] : [{ rule: "once", ...onceVerdict(request, facts) }]),
    {
      rule: "actor",
      ...("problem" in actor
        ? no(actor.problem, actor.fix ?? "have it done by somebody whom the policy lists")
        : actor.kind === "bot"
          ? no(`${actor.address} is a bot`)
          : yes(`${actor.address} (${actor.kind})`)),
    },
    ...(facts.registry === undefined || serving === undefined
      ? []
      : [{ rule: "registry", ...registryVerdict(serving, facts.registry, request.environment) }]),
    ...(serving === undefined
      ? []
      : [{ rule: "target", ...targetVerdict(serving.version, serving.rollback, target, firstRelease) }]),
  ];
  const outcome = verdicts.every((each) => each.verdict === "yes") ? "yes" : "no";
  const from = serving && { version: serving.version, digest: serving.digest, createdAt: serving.createdAt };
  const place =
    to === undefined || to === "none" ? to : { version: to.version, digest: to.digest, createdAt: to.createdAt };
  return {
    verdicts,
    outcome,
    environment: request.environment,
    from,
    to: place,
    start:
      outcome === "yes" && from !== undefined && place !== undefined
        ? {
            model: facts.model,
            digest: from.digest,
            environment: request.environment,
            ...(serving?.released !== undefined && { undoes: serving.released }),
            from,
            to: place,
            ...(facts.endpoint !== undefined && { endpoint: facts.endpoint }),
            reason: request.reason,
            ...(request.incident !== undefined && { incident: request.incident }),
            ...(request.detectedAt !== undefined && { detectedAt: request.detectedAt }),
          }
        : undefined,
  };
}

/** The plan of a rollback that was begun: where it came from and where it goes. Pure. */
export function planOf(
  { environment, from, to }: EntryBody<"rollback.started">,
  verdicts: readonly Verdict[],
): RollbackPlan {
  return { verdicts, outcome: "yes", environment, from, to, start: undefined };
}

/** What the entry says that ends a rollback, by what its start said (entry `started`). Pure. */
export function endOfRollback(body: EntryBody<"rollback.started">, started: number): EntryBody<"rolledback"> {
  const { model, digest, environment, undoes, to, reason, incident, detectedAt } = body;
  return {
    model,
    digest,
    environment,
    started,
    ...(undoes !== undefined && { undoes }),
    to,
    reason,
    ...(incident !== undefined && { incident }),
    ...(detectedAt !== undefined && { detectedAt }),
  };
}

/** The entry that ends a half-done release for a rollback. Pure. */
export function abandonedFor(reason: string, started: number, environment: string): Fact {
  return { kind: "abandoned", body: { started, environment, reason: cutTo(`rolled back: ${reason}`, 200) } };
}

/** Who served and the way back, as a rollback that was begun fixed them. `released`: the entry of the release that it undoes. Pure. */
export function servingBefore({ from, to }: EntryBody<"rollback.started">, released: number | undefined) {
  return { ...from, rollback: targetOf(to), released };
}

/** A place to go back to as a rollback target; what callers would have to change was said when it was fixed. Pure. */
export function targetOf(to: PlacedVersion | "none"): RollbackTarget {
  return to === "none" ? to : { ...to, signature: "not stated" };
}

function servingVerdict(environment: string, facts: RollbackFacts) {
  const { serving, halfDone, alias } = facts;
  const end = `factory promote --to ${environment} --abandon --reason "WHY"`;
  if (halfDone !== undefined)
    return no(
      `a release of v${halfDone.version} was begun (entry ${halfDone.seq}) and has not moved champion: ${serving === undefined ? "nothing" : `v${serving.version}`} serves`,
      serving === undefined
        ? `if that release is what you mean to undo, end it: ${end}`
        : `end that release: ${end}. If it is what you mean to undo, that is all; to go back from v${serving.version}, then run this rollback again`,
    );
  return serving === undefined
    ? servesNothing(environment, facts)
    : yes(servesText(serving.version, alias, serving.rollback));
}

/** Read in a hurry, by whoever was called: what became of it, and the way on. */
function servesNothing(environment: string, { alias, takenAway: gone, registry }: RollbackFacts) {
  const release = `release a good version: factory release NUMBER --env ${environment}; factory history says what served there`;
  if (alias !== undefined)
    return registry === undefined
      ? no(
          `champion is v${alias}, and the registry's tags (factory.rollback, factory.digest) tell no way back from there: only the ledger knows the way back from v${alias}`,
          "make the ledger answer (factory ledger verify, factory doctor), then run it again; or release a good version",
        )
      : no(
          `by the ledger nothing serves in ${environment}; champion was put on v${alias} by hand`,
          "take champion off there in the registry itself; factory verify says what else differs",
        );
  if (gone === undefined) return no(`nothing serves in ${environment}: there is nothing to roll back`, release);
  return no(
    `nothing serves in ${environment}: v${gone.version} was rolled back at ${gone.at} by ${gone.by} (entry ${gone.seq}), and scoring refuses`,
    release,
  );
}

function servesText(version: string, alias: string | undefined, to: RollbackTarget | undefined): string {
  const back = numberOf(to);
  return alias === version || (to !== undefined && alias === back)
    ? `v${version} serves`
    : `v${version} serves by the ledger; champion was put on ${alias === undefined ? "nothing" : `v${alias}`} by hand`;
}

function onceVerdict({ further }: RollbackRequest, { serving, since }: RollbackFacts) {
  if (since === undefined) return yes("it serves by a release");
  const told = `v${serving?.version ?? "?"} serves since the rollback of ${since.by} at ${since.at} (${since.seq === undefined ? "not in the ledger yet" : `entry ${since.seq}`})`;
  return further ? yes(`${told}: further back, on purpose`) : no(`${told}`, "to go back further still: --further");
}

function registryVerdict(
  { version }: PlacedVersion,
  { place, isOurs }: NonNullable<RollbackFacts["registry"]>,
  environment: string,
) {
  return isOurs
    ? yes("it holds what the ledger tells of")
    : no(
        `${place} holds neither v${version} as it was made for ${environment} nor an entry of this ledger: it is another registry than the one that was released to, or was made anew`,
        "see that the right server runs (factory local status) and that policy.yaml leads to it; factory verify says what differs",
      );
}

function targetVerdict(
  serving: string,
  to: RollbackTarget | undefined,
  target: RollbackFacts["target"],
  firstRelease: "withdraw" | "deny",
) {
  if (to === undefined)
    return no(
      `what served before v${serving} only the ledger knows: the registry keeps no more steps`,
      "make the ledger answer, then run it again; or release a good version",
    );
  if (to === "none")
    return firstRelease === "withdraw"
      ? yes("nothing served when it was released: champion is removed, and scoring refuses")
      : no("nothing served when it was released, and the policy denies to be without a model", "release a better one");
  if (target === undefined)
    return no(`v${to.version} is not in the registry any more, or has no bytes`, "release a good version instead");
  if (target.createdAt !== to.createdAt)
    return no(`v${to.version} is another version than the one that was fixed: it was made at another time`);
  if (target.digest !== to.digest)
    return no(
      `the bytes of v${to.version} are sha256:${target.digest.slice(0, 12)}…, not sha256:${to.digest.slice(0, 12)}…: they were changed`,
    );
  return yes(`v${to.version}, its bytes ${HOW_SEEN[target.how]}`);
}

/**
 * Who serves in an environment by the ledger, with what a rollback needs of it. A release that was not ended and has moved the
 * alias serves too, with the way back that it fixed. Pure.
 */
export function servingOf(state: LineState, environment: string, alias: string | undefined): RollbackFacts["serving"] {
  const here = state.environment(environment);
  const moved = releaseThatMoved(here, alias);
  if (moved === undefined) return here.champion && { ...here.champion, released: here.champion.released.seq };
  const { version, digest, rollback } = moved.body;
  const createdAt = createdAtOf(state, environment, version, digest);
  return { version, digest, createdAt, rollback, released: undefined };
}

/**
 * The release to which `champion` points though it was never ended: one that is open, or one that was abandoned for a rollback
 * that was cut off before it began. Pure.
 */
export function releaseThatMoved(
  { champion, open, abandoned }: EnvironmentState,
  alias: string | undefined,
): EntryOf<"release.started"> | undefined {
  if (alias === champion?.version) return undefined;
  return [...abandoned, ...open].findLast(
    (each): each is EntryOf<"release.started"> =>
      each.kind === "release.started" &&
      each.body.version === alias &&
      wayBackProblem(champion, each.body.rollback) === undefined,
  );
}

function createdAtOf(state: LineState, environment: string, version: string, digest: string): number {
  const promoted = state
    .environment(environment)
    .promoted.findLast(({ entry }) => entry.body.version === version && entry.body.digest === digest);
  return promoted?.entry.body.createdAt ?? 0;
}

/** The rollback since which an environment's champion serves; undefined when it was released. Pure. */
export function rolledBackSince({ champion }: EnvironmentState) {
  if (champion?.since.kind !== "rolledback") return undefined;
  const { seq, at, by } = champion.since;
  return { seq, at, by };
}
