import type { Policy } from "../policy/policy.ts";
import type { Entry, EntryBody, PlacedVersion, RollbackTarget } from "./entry.ts";
import type { EntryOf, EnvironmentState } from "./line-state.ts";

/**
 * Whether an entry fits what the chain says before it. Whoever holds a listed key can sign an entry of any content; what does not
 * follow from the chain must move nothing, and must be seen. Pure, all of it: a sentence about what does not fit, or undefined.
 */

/** A chain is about one model: what is begun for another would end at that one's aliases. */
export function modelProblem({ body }: Entry, model: string | undefined): string | undefined {
  return "model" in body && model !== undefined && body.model !== model
    ? `is about ${body.model}, and this chain about ${model}`
    : undefined;
}

/** Only a promotion brings a version beyond the first environment of the policy at that entry. */
export function placeProblem(
  { by, body: { environment, version } }: EntryOf<"registered">,
  policy: Policy | undefined,
): string | undefined {
  const first = policy?.environments[0]?.name ?? environment;
  return environment === first ? undefined : `of ${by} registers v${version} in ${environment}, not in ${first}`;
}

/** A number is one model for ever: a registry never gives it twice. */
export function registrationProblem(
  before: readonly EntryOf<"registered">[],
  { environment, version, digest, createdAt }: EntryBody<"registered">,
): string | undefined {
  const other = before.find(
    ({ body }) =>
      body.environment === environment &&
      body.version === version &&
      (body.digest !== digest || body.createdAt !== createdAt),
  );
  return other && `says that ${environment} v${version} is another model than entry ${other.seq} says`;
}

/** What serves must have been promoted there, in the way in which it was begun, and its way back must be what served before. */
export function releaseProblem(
  here: EnvironmentState,
  body: EntryBody<"released">,
  started: EntryBody<"release.started">,
): string | undefined {
  const promoted = here.promoted.some(
    ({ entry }) => isSame(entry.body, body) && entry.body.createdAt === body.createdAt,
  );
  if (!promoted || started.version !== body.version) return `releases v${body.version}, which was never promoted there`;
  const other = (["strategy", "endpoint"] as const).find((key) => started[key] !== body[key]);
  if (other !== undefined) return `says another ${other} than entry ${body.started}, which began it`;
  return wayBackProblem(here.champion, body.rollback) ?? wayBackProblem(here.champion, started.rollback);
}

/** A rollback starts from what serves and goes where its release said, nowhere else. Its digest tells which approvals it ends. */
export function rollbackProblem(
  here: EnvironmentState,
  { digest, from, to }: EntryBody<"rollback.started">,
): string | undefined {
  const { champion } = here;
  if (digest !== from.digest) return `goes back from v${from.version}, and is about other bytes`;
  if (champion !== undefined && isSame(champion, from)) return targetProblem(champion.rollback, to);
  // A release that had moved the alias already was abandoned for this rollback.
  const cut = here.abandoned.findLast((each) => each.kind === "release.started" && isSame(each.body, from));
  if (cut?.kind !== "release.started") return `goes back from v${from.version}, which did not serve`;
  return wayBackProblem(champion, cut.body.rollback) ?? targetProblem(cut.body.rollback, to);
}

/** What is deployed belongs to a version that stands there: promoted, or in the first environment registered. */
export function deploymentProblem(
  here: EnvironmentState,
  registered: readonly EntryOf<"registered">[],
  { environment, version, digest }: EntryBody<"deploy.started">,
): string | undefined {
  const stands = [...here.promoted.map(({ entry }) => entry.body), ...registered.map(({ body }) => body)].some(
    (body) => body.environment === environment && isSame(body, { version, digest }),
  );
  return stands ? undefined : `deploys v${version}, which was never promoted there`;
}

/** A deployment ends as it was begun. */
export function deployedProblem(
  started: EntryBody<"deploy.started">,
  ended: EntryBody<"deployed">,
): string | undefined {
  const other = (["version", "digest", "files", "wheel", "tool"] as const).find((key) => started[key] !== ended[key]);
  return other && `says another ${other} than entry ${ended.started}, which began it`;
}

/** The way back of a release is what served before it. */
export function wayBackProblem(champion: PlacedVersion | undefined, rollback: RollbackTarget): string | undefined {
  const fits = rollback === "none" ? champion === undefined : champion !== undefined && isOne(champion, rollback);
  const [fixed, served] = [nameOf(rollback), nameOf(champion ?? "none")];
  return fits
    ? undefined
    : `fixes ${fixed} as the way back, but ${served} served before${fixed === served ? ", made at another time" : ""}`;
}

function targetProblem(fixed: RollbackTarget, to: PlacedVersion | "none"): string | undefined {
  const fits = fixed === "none" || to === "none" ? fixed === to : isOne(fixed, to);
  return fits ? undefined : `goes back to ${nameOf(to)}, but ${nameOf(fixed)} was fixed when it was released`;
}

function nameOf(version: PlacedVersion | "none"): string {
  return version === "none" ? "nothing" : `v${version.version}`;
}

/** Of two registries, or of one that was made anew, the same number and bytes are still another version. */
function isOne(a: PlacedVersion, b: PlacedVersion): boolean {
  return isSame(a, b) && a.createdAt === b.createdAt;
}

function isSame(a: { version: string; digest: string }, b: { version: string; digest: string }): boolean {
  return a.version === b.version && a.digest === b.digest;
}
