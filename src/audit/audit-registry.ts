import { BRING_BACK } from "../ledger/bring-back.ts";
import type { Entry, PlacedVersion } from "../ledger/entry.ts";
import type { EnvironmentState, LineState } from "../ledger/line-state.ts";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import { anchorProblem } from "../line/anchor.ts";
import {
  aliasDifferences,
  type Leftovers,
  type RegistryPicture,
  recordedVersions,
  registryDifferences,
  unrecorded,
} from "../line/registry-differences.ts";
import { digestModel } from "../registry/model-files.ts";
import { MODEL_TAGS, type ModelRegistry, type ModelVersion } from "../registry/registry.ts";
import type { Finding } from "./finding.ts";
import type { Look } from "./look.ts";

/** A version whose bytes matter now: what serves, what comes next, and where a rollback goes. */
export interface InUse extends PlacedVersion {
  as: string;
}

const LEFT = "a promotion that was abandoned may have left it: promote the same candidate again";
const CUT = `bring back a whole copy: ${BRING_BACK}`;
const BY_HAND = "somebody worked in the registry by hand: put it back as the ledger says, and find out who";

/** Where a registry is not what the ledger says, as far as names, numbers and times tell. `left`: what is excused. Pure. */
export function registryFindings(
  picture: RegistryPicture,
  line: LineState,
  entries: readonly Entry[],
  left: Leftovers,
): Finding[] {
  const { environment, model, versions } = picture;
  const state = line.environment(environment);
  const recorded = recordedVersions(line, environment);
  const no = (message: string, fix: string): Finding => ({
    part: "registry",
    verdict: "no",
    environment,
    message,
    fix,
  });
  const abandoned = state.abandoned.some((each) => each.kind === "promotion.started");
  const cut = anchorProblem(model, environment, entries);
  return [
    ...(cut === undefined ? [] : [no(cut, CUT)]),
    // What differs from a ledger that lacks entries may be what they say: nobody is accused of it.
    ...(cut !== undefined
      ? [
          ...aliasDifferences(picture, state, left),
          ...unrecorded(picture, recorded, left).map(
            (version) => `${environment} v${version} is not in what there is of the ledger`,
          ),
        ].map((message) => no(message, CUT))
      : registryDifferences(picture, state, recorded, left).map((message) =>
          no(message, abandoned ? `${LEFT}; or ${BY_HAND}` : BY_HAND),
        )),
    ...distinct(recorded).flatMap(({ version, createdAt }) => {
      const found = versions.find((each) => each.version === version);
      const fix = usesOf(state).some((each) => each.version === version)
        ? state.champion === undefined
          ? "it comes next there: bring another candidate, by factory register or promote"
          : `it is in use: release another version, or factory rollback --env ${environment} --reason "WHY"`
        : "if it was removed on purpose, say so where auditors look: the ledger keeps naming it";
      if (found === undefined) return [no(`${environment} v${version} is in the ledger, and not in the registry`, fix)];
      if (found.createdAt === createdAt) return [];
      return [
        no(
          `${environment} v${version} is another version than the one in the ledger: made ${iso(found.createdAt)}, not ${iso(createdAt)}`,
          fix,
        ),
      ];
    }),
    ...(anchorOf(picture) === undefined && recorded.length > 0
      ? [
          {
            part: "registry" as const,
            verdict: "note" as const,
            environment,
            message: `${environment} holds no anchor: whether the end of the ledger was cut off cannot be seen there`,
            fix: "the next command that writes there sets one; if there was one, somebody removed it",
          },
        ]
      : []),
  ];
}

/** Champion, challenger and rollback target of an environment; each version once. Pure. */
export function usesOf({ champion, challenger }: EnvironmentState): InUse[] {
  const target = champion?.rollback;
  const uses = [
    ...(champion === undefined ? [] : [{ ...placed(champion), as: "champion" }]),
    ...(challenger === undefined ? [] : [{ ...placed(challenger), as: "challenger" }]),
    ...(target === undefined || target === "none" ? [] : [{ ...placed(target), as: "rollback target" }]),
  ];
  return uses.filter((use, i) => uses.findIndex((each) => each.version === use.version) === i);
}

/** Reads every byte of the versions in use and compares their digests with the ledger's. */
export async function auditBytes(
  look: Extract<Look, { answered: true }>,
  state: EnvironmentState,
  report: Report,
): Promise<{ read: number; findings: Finding[] }> {
  const environment = look.environment.name;
  const findings: Finding[] = [];
  let read = 0;
  for (const use of usesOf(state)) {
    // One that is not there, or another one, is told already.
    const version = look.picture.versions.find((each) => each.version === use.version);
    if (version === undefined || version.createdAt !== use.createdAt) continue;
    const what = `${environment} v${use.version} (${use.as})`;
    const found = await digestOf(look, version, report);
    const fix =
      use.as === "champion"
        ? `what serves is not what was approved: factory rollback --env ${environment} --reason "WHY"`
        : "do not release it; train, check and promote again";
    if ("unknown" in found)
      findings.push({ part: "registry", verdict: "cannot tell", environment, message: `${what}: ${found.unknown}` });
    else {
      read++;
      if (found.digest !== use.digest)
        findings.push({
          part: "registry",
          verdict: "no",
          environment,
          message: `the bytes of ${what} are ${found.digest === undefined ? found.why : `sha256:${found.digest}`}, not sha256:${use.digest} as the ledger says`,
          fix,
        });
    }
  }
  return { read, findings };
}

type Digested = { digest: string } | { digest: undefined; why: string } | { unknown: string };

/** The digest of the bytes that a version has now, else why there is none, or why nobody knows. */
export async function digestOf(
  look: { registry: Pick<ModelRegistry, "filesOf"> },
  version: ModelVersion,
  report: Report,
): Promise<Digested> {
  try {
    return { digest: (await digestModel(look.registry.filesOf(version), report)).digest };
  } catch (error) {
    if (!(error instanceof FactoryError) || error.exit === EXIT.interrupted) throw error;
    // The server answered, and what it holds is no model.
    if (error.code.startsWith("model.")) return { digest: undefined, why: `no model any more (${error.message})` };
    return { unknown: error.message };
  }
}

/** `seq:hash` that the registry was anchored to last; undefined for none, or an empty one. Pure. */
export function anchorOf({ model }: RegistryPicture): string | undefined {
  return model?.tags[MODEL_TAGS.ledgerHead] || undefined;
}

function distinct(recorded: readonly PlacedVersion[]): PlacedVersion[] {
  return recorded.filter((each, i) => recorded.findIndex((one) => one.version === each.version) === i);
}

function placed({ version, digest, createdAt }: PlacedVersion): PlacedVersion {
  return { version, digest, createdAt };
}

/** A number that a hostile server made up has no date. */
function iso(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
