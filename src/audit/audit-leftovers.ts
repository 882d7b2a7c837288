import type { PlacedVersion } from "../ledger/entry.ts";
import type { EntryOf, EnvironmentState, Started } from "../ledger/line-state.ts";
import type { Report } from "../lib/progress.ts";
import { aliasDifferences, type Leftovers, leftovers, NOTHING_LEFT } from "../line/registry-differences.ts";
import type { ModelRegistry, ModelVersion } from "../registry/registry.ts";
import { digestOf } from "./audit-registry.ts";
import { endOf, type JudgeStart } from "./audit-starts.ts";
import type { Finding } from "./finding.ts";
import type { Look } from "./look.ts";

type Answered = Pick<Extract<Look, { answered: true }>, "picture"> & { registry: Pick<ModelRegistry, "filesOf"> };

/**
 * What in a registry a cut-off command explains: its start must be one that the rules allowed, and a version must have the very
 * bytes that it names, read here. Each version is told: as a note when its start was abandoned; while a start is open, whatever
 * is not as the ledger's ended entries say cannot be told.
 */
export async function auditLeftovers(
  look: Answered,
  state: EnvironmentState,
  recorded: readonly PlacedVersion[],
  judge: JudgeStart,
  report: Report,
): Promise<{ left: Leftovers; findings: Finding[] }> {
  const { picture } = look;
  const { environment } = picture;
  const all = leftovers(picture, state, recorded);
  const findings: Finding[] = [];
  const versions: { version: string; start: EntryOf<"promotion.started"> }[] = [];
  const say = (verdict: Finding["verdict"], message: string, fix?: string): void => {
    findings.push({ part: "registry", verdict, environment, message, ...(fix !== undefined && { fix }) });
  };
  const tell = (each: Finding): void => {
    if (!findings.includes(each)) findings.push(each);
  };
  const isOpen = (start: Started): boolean => state.open.some((each) => each.seq === start.seq);
  for (const version of picture.isFirst ? [] : picture.versions) {
    if (recorded.some((each) => each.version === version.version && each.createdAt === version.createdAt)) continue;
    const starts = all.versions.filter((each) => each.version === version.version).map((each) => each.start);
    // What speaks against an open one is told with the ledger.
    for (const start of starts) if (!isOpen(start)) for (const each of await judge(start)) tell(each);
    const start = await allowed(starts, judge);
    if (start === undefined) continue;
    const name = `${environment} v${version.version}`;
    const by = `entry ${start.seq} (promotion.started) of ${start.by}`;
    const bytes = await bytesProblem(look, version, start.body.digest, report);
    if (bytes?.verdict === "no") {
      // It stays one that was made by hand.
      say("no", `the bytes of ${name} are ${bytes.why}, not sha256:${start.body.digest} as ${by} says`, BYTES);
      continue;
    }
    versions.push({ version: version.version, start });
    if (bytes !== undefined) say("cannot tell", `${name}, which ${by} explains: ${bytes.why}`);
    else if (isOpen(start)) say("cannot tell", `${name} is not in the ledger: ${by} is not ended`, endOf(environment));
    else say("note", `${name} is not in the ledger: ${by} made it, and was abandoned; its bytes are those`);
  }
  const left: Leftovers = {
    versions,
    champion: await whereAllowed(all.champion, judge),
    challenger: (await whereAllowed(all.challenger, judge)).filter(
      ({ version, start }) =>
        version === undefined ||
        recorded.some((each) => each.version === version && each.digest === start.body.digest) ||
        versions.some((each) => each.version === version),
    ),
  };
  const unexplained = aliasDifferences(picture, state, left);
  for (const message of aliasDifferences(picture, state, NOTHING_LEFT))
    if (!unexplained.includes(message))
      say("cannot tell", `${message}: something begun there is not ended`, endOf(environment));
  return { left, findings };
}

const BYTES = "somebody made it by hand, or wrote to its artifacts: remove it, and find out who";

/** The first start against which nothing speaks. */
async function allowed<T extends Started>(starts: readonly T[], judge: JudgeStart): Promise<T | undefined> {
  for (const start of starts) if ((await judge(start)).every((each) => each.verdict !== "no")) return start;
  return undefined;
}

async function whereAllowed<T extends { start: Started }>(each: readonly T[], judge: JudgeStart): Promise<T[]> {
  const kept: T[] = [];
  for (const one of each) if ((await allowed([one.start], judge)) !== undefined) kept.push(one);
  return kept;
}

async function bytesProblem(
  look: Answered,
  version: ModelVersion,
  digest: string,
  report: Report,
): Promise<{ verdict: "no" | "cannot tell"; why: string } | undefined> {
  const found = await digestOf(look, version, report);
  if ("unknown" in found) return { verdict: "cannot tell", why: found.unknown };
  if (found.digest === digest) return undefined;
  return { verdict: "no", why: found.digest === undefined ? found.why : `sha256:${found.digest}` };
}
