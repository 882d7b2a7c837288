import { numberOf, type PlacedVersion } from "../ledger/entry.ts";
import { CLOCK_TOLERANCE_MS } from "../ledger/judge.ts";
import type { EntryOf, EnvironmentState, LineState, Started } from "../ledger/line-state.ts";
import { type ModelVersion, type RegisteredModel, VERSION_TAGS } from "../registry/registry.ts";

/** What a registry holds for one environment. */
export interface RegistryPicture {
  environment: string;
  /** The first environment takes versions that were never recorded: pilots and experiments. */
  isFirst: boolean;
  model: RegisteredModel | undefined;
  versions: readonly ModelVersion[];
  /** Of a pilot nothing is in the ledger: in the first environment its aliases stand where `register` put them. */
  pilot?: boolean;
}

/** What was begun and not ended may have left in a registry, each with the entry that tells so. */
export interface Leftovers {
  /** Versions that a promotion may have made. */
  versions: readonly { version: string; start: EntryOf<"promotion.started"> }[];
  /** Where the alias may stand; undefined: nowhere. */
  champion: readonly { version: string | undefined; start: Started }[];
  challenger: readonly { version: string | undefined; start: Started }[];
}

export const NOTHING_LEFT: Leftovers = { versions: [], champion: [], challenger: [] };

/**
 * What cut-off commands may have left, as far as numbers, times and tags tell. A promotion that was abandoned excuses the version
 * that it made, and no alias: but for `again`, the digest of a candidate that is promoted again, so that the alias is set anew.
 * Pure.
 */
export function leftovers(
  { versions }: Pick<RegistryPicture, "versions">,
  { open, abandoned }: Pick<EnvironmentState, "open" | "abandoned">,
  recorded: readonly PlacedVersion[],
  again?: string,
): Leftovers {
  const promoting = [...open, ...abandoned].filter((each) => each.kind === "promotion.started");
  const made = promoting.flatMap((start) =>
    versions.filter((each) => isVersionOf(start, each)).map(({ version }) => ({ version, start })),
  );
  const maySet = (start: Started) => open.includes(start) || start.body.digest === again;
  return {
    versions: made,
    champion: open.flatMap((start): { version: string | undefined; start: Started }[] => {
      if (start.kind === "release.started") return [{ version: start.body.version, start }];
      if (start.kind !== "rollback.started") return [];
      return [{ version: numberOf(start.body.to), start }];
    }),
    challenger: [
      ...made.filter(({ start }) => maySet(start)),
      ...promoting
        .filter(maySet)
        .flatMap((start) =>
          recorded.filter((each) => each.digest === start.body.digest).map(({ version }) => ({ version, start })),
        ),
      ...open.filter((each) => each.kind === "release.started").map((start) => ({ version: undefined, start })),
    ],
  };
}

/** Where the registry is not what the ledger says, a sentence each; empty when it is. `left`: what is excused. Pure. */
export function registryDifferences(
  picture: RegistryPicture,
  state: Pick<EnvironmentState, "champion" | "challenger">,
  recorded: readonly PlacedVersion[],
  left: Leftovers,
): string[] {
  return [
    ...aliasDifferences(picture, state, left),
    ...unrecorded(picture, recorded, left).map(
      (version) => `${picture.environment} v${version} was made by hand: the ledger does not know it`,
    ),
  ];
}

/** Aliases that stand elsewhere than the ledger says. Pure. */
export function aliasDifferences(
  { environment, model, isFirst, pilot }: Pick<RegistryPicture, "environment" | "model" | "isFirst" | "pilot">,
  state: Pick<EnvironmentState, "champion" | "challenger">,
  left: Leftovers,
): string[] {
  if (isFirst && pilot === true) return [];
  const say = (version: string | undefined): string => (version === undefined ? "none" : `v${version}`);
  return (["champion", "challenger"] as const).flatMap((name) => {
    const found = model?.aliases[name];
    const expected = state[name]?.version;
    if (found === expected || left[name].some((each) => each.version === found)) return [];
    return [`alias ${name} of ${environment} is ${say(found)} in the registry, but ${say(expected)} in the ledger`];
  });
}

/** Versions that the ledger does not know; those of the first environment may be experiments. Pure. */
export function unrecorded(
  { isFirst, versions }: Pick<RegistryPicture, "isFirst" | "versions">,
  recorded: readonly PlacedVersion[],
  left: Leftovers,
): string[] {
  if (isFirst) return [];
  return versions
    .filter(
      ({ version, createdAt }) =>
        !left.versions.some((each) => each.version === version) &&
        !recorded.some((each) => each.version === version && each.createdAt === createdAt),
    )
    .map(({ version }) => version);
}

/** Made after the start, as far as two clocks agree, and said to be of its bytes. */
function isVersionOf(
  { at, body }: EntryOf<"promotion.started">,
  { version, createdAt, tags }: Pick<ModelVersion, "version" | "createdAt" | "tags">,
): boolean {
  return (
    Number(version) > body.highest &&
    tags[VERSION_TAGS.digest] === body.digest &&
    createdAt >= Date.parse(at) - CLOCK_TOLERANCE_MS
  );
}

/** The version of these bytes that a promotion made which was cut off; undefined without one. The lowest number counts. Pure. */
export function leftVersion(
  versions: readonly ModelVersion[],
  digest: string,
  state: EnvironmentState,
): string | undefined {
  return leftovers({ versions }, state, [])
    .versions.filter(({ start }) => start.body.digest === digest)
    .map((each) => each.version)
    .sort((a, b) => Number(a) - Number(b))[0];
}

/** All versions of an environment that the ledger recorded, by entries that fit: one that does not makes no version known. Pure. */
export function recordedVersions(
  { registered, environment }: Pick<LineState, "registered" | "environment">,
  name: string,
): PlacedVersion[] {
  return [...registered, ...environment(name).promoted.map(({ entry }) => entry)]
    .filter(({ body }) => body.environment === name)
    .map(({ body: { version, digest, createdAt } }) => ({ version, digest, createdAt }));
}
