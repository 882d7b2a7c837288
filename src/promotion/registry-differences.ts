import type { Entry, EntryBody, PlacedVersion } from "../ledger/entry.ts";
import type { EnvironmentState } from "../ledger/line-state.ts";
import type { LedgerView } from "../ledger/open-ledger.ts";
import { MODEL_TAGS, type ModelVersion, type RegisteredModel, VERSION_TAGS } from "../registry/registry.ts";

/** What a registry holds for one environment. */
export interface RegistryPicture {
  environment: string;
  /** The first environment takes versions that were never recorded: pilots and experiments. */
  isFirst: boolean;
  model: RegisteredModel | undefined;
  versions: readonly ModelVersion[];
}

/** Where the registry is not what the ledger says, a sentence each; empty when it is. Pure. */
export function registryDifferences(
  { environment, isFirst, model, versions }: RegistryPicture,
  state: EnvironmentState,
  recorded: readonly PlacedVersion[],
): string[] {
  const alias = (
    name: "champion" | "challenger",
    expected: PlacedVersion | undefined,
    alternatives: readonly (string | undefined)[],
  ) => {
    const found = model?.aliases[name];
    if (found === expected?.version || alternatives.includes(found)) return [];
    const say = (version: string | undefined): string => (version === undefined ? "none" : `v${version}`);
    return [
      `alias ${name} of ${environment} is ${say(found)} in the registry, but ${say(expected?.version)} in the ledger`,
    ];
  };
  // What was begun and cut off may have taken effect or not.
  const begun = state.open.flatMap((entry) => {
    if (entry.kind === "release.started") return [entry.body.version];
    if (entry.kind === "rollback.started") return [entry.body.to === "none" ? undefined : entry.body.to.version];
    return [];
  });
  const promoting = unfinishedPromotions(state);
  const isBegun = (version: ModelVersion) => promoting.some((each) => isVersionOf(each, version));
  const challengers = [
    ...versions.filter(isBegun).map((each) => each.version),
    ...recorded.filter((each) => promoting.some((one) => one.digest === each.digest)).map((each) => each.version),
    ...(state.open.some((each) => each.kind === "release.started") ? [undefined] : []),
  ];
  const strangers = isFirst
    ? []
    : versions.filter(
        (version) =>
          !isBegun(version) &&
          !recorded.some((each) => each.version === version.version && each.createdAt === version.createdAt),
      );
  return [
    ...alias("champion", state.champion, begun),
    ...alias("challenger", state.challenger, challengers),
    ...strangers.map((each) => `${environment} v${each.version} was made by hand: the ledger does not know it`),
  ];
}

/** Promotions that were cut off, abandoned or not: a version and the alias challenger may be what they left. Pure. */
function unfinishedPromotions({ open, abandoned }: EnvironmentState): EntryBody<"promotion.started">[] {
  return [...open, ...abandoned].flatMap((entry) => (entry.kind === "promotion.started" ? [entry.body] : []));
}

function isVersionOf({ highest, digest }: EntryBody<"promotion.started">, { version, tags }: ModelVersion): boolean {
  return Number(version) > highest && tags[VERSION_TAGS.digest] === digest;
}

/** The version of these bytes that a promotion made which was cut off; undefined without one. The lowest number counts. Pure. */
export function leftVersion(
  versions: readonly ModelVersion[],
  digest: string,
  state: EnvironmentState,
): string | undefined {
  const begun = unfinishedPromotions(state).filter((each) => each.digest === digest);
  return versions
    .filter((version) => begun.some((each) => isVersionOf(each, version)))
    .map((each) => each.version)
    .sort((a, b) => Number(a) - Number(b))[0];
}

/** Why the anchor that a registry holds says that history was cut; undefined when it is an entry of the chain, or there is none. */
export function anchorProblem(
  model: RegisteredModel | undefined,
  environment: string,
  entries: readonly Entry[],
): string | undefined {
  const anchor = model?.tags[MODEL_TAGS.ledgerHead];
  if (anchor === undefined || anchor === "") return undefined;
  const [seq = "", hash = ""] = anchor.split(":");
  const entry = entries[Number(seq) - 1];
  if (entry !== undefined && entry.hash === hash) return undefined;
  return entries.length < Number(seq)
    ? `the ledger ends with entry ${entries.length}, but ${environment} was written to when it had ${seq}: entries are missing`
    : `entry ${seq} of the ledger is not the one that ${environment} was anchored to: history was changed`;
}

/**
 * Registrations that the ledger has for another environment than the first of the policy that was in force then: only promotion
 * brings a version further, so that whoever wrote such an entry wants a version made by hand to pass for a known one. Pure.
 */
export function misplacedRegistrations({ entries, policyAt }: Pick<LedgerView, "entries" | "policyAt">): string[] {
  return entries.flatMap((entry) => {
    if (entry.kind !== "registered") return [];
    const first = policyAt(entry.seq)?.policy.environments[0]?.name;
    return entry.body.environment === first
      ? []
      : [
          `entry ${entry.seq} of ${entry.by} registers v${entry.body.version} in ${entry.body.environment}, not in ${first}`,
        ];
  });
}

/** All versions of an environment that the ledger recorded. */
export function recordedVersions(environment: string, entries: readonly Entry[]): PlacedVersion[] {
  return entries.flatMap((entry) =>
    (entry.kind === "registered" || entry.kind === "promoted") && entry.body.environment === environment
      ? [{ version: entry.body.version, digest: entry.body.digest, createdAt: entry.body.createdAt }]
      : [],
  );
}
