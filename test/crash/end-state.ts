import * as z from "zod";
import type { Entry } from "../../src/ledger/entry.ts";
import { lockHolder } from "../../src/lib/lock.ts";
import { entriesIn } from "../support/line.ts";
import type { CrashWorld, Picture } from "./world.ts";
import { filesBelow } from "./world.ts";

/** The entries of the ledger, each checked by itself; a torn rest is no entry. */
export function entriesOf(world: Pick<CrashWorld, "ledger">): Entry[] {
  const text = world.ledger();
  return entriesIn(text.slice(0, text.lastIndexOf("\n") + 1));
}

/**
 * What must hold at every moment, a sentence for each thing that does not: an alias points only to a version whose bytes have
 * the digest that was started for, whose evidence is whole and signed in the store of its environment, and, beyond the first
 * environment, whose bundle is there too.
 */
export function ungated(picture: Picture, entries: readonly Entry[]): string[] {
  return Object.entries(picture.models).flatMap(([name, { aliases, versions }]) => {
    const [environment = "", ...rest] = name.split(".");
    const objects = picture.objects.filter((each) => each.experiment === `factory/${environment}/${rest.join(".")}`);
    const digests = versions.map((each) => each.digest);
    return [
      ...(new Set(digests).size < digests.length ? [`${name} holds two versions of one digest`] : []),
      ...Object.entries(aliases).flatMap(([alias, number]) => {
        const version = versions.find((each) => each.version === number);
        const what = `${alias} of ${name}, v${number},`;
        if (version === undefined) return [`${what} is not there`];
        const { tags, digest } = version;
        const evidence = objects.find((each) => each.digest === tags["factory.evidence"]);
        const bundle = objects.find((each) => each.digest === tags["factory.bundle"]);
        const begun = entries.filter((each) => "digest" in each.body && each.body.digest === digest);
        const started = (kind: Entry["kind"]) =>
          begun.some(
            (each) => each.kind === kind && "environment" in each.body && each.body.environment === environment,
          );
        return [
          ...(tags["factory.digest"] === digest ? [] : [`${what} has other bytes than its tag says`]),
          ...(evidence !== undefined && isWhole(evidence, "evidence.json", true)
            ? []
            : [`${what} has no whole evidence`]),
          ...(environment === "dev" || (bundle !== undefined && isWhole(bundle, "bundle.json", false))
            ? []
            : [`${what} has no whole bundle`]),
          ...(environment === "dev" || started("promotion.started") ? [] : [`${what} was not started`]),
          ...(alias !== "champion" || started("release.started") ? [] : [`${what} was never released`]),
        ];
      }),
    ];
  });
}

function isWhole(object: Picture["objects"][number], index: string, signed: boolean): boolean {
  const paths = Object.keys(object.files);
  return (
    object.files[index] === object.digest &&
    paths.length >= 6 &&
    (!signed || paths.some((path) => path.startsWith("signatures/")))
  );
}

const MODEL_HEAD = "factory.ledger.head";
/** The way back; after a rollback with its time. */
const BACK = "factory.rollback";
const envelope = z.object({ envelope: z.object({ payload: z.string() }) });
const approval = z.looseObject({ predicate: z.looseObject({}), subject: z.unknown() });

/** All that a command leaves, without what differs from run to run though nothing does: times, hashes, ids. */
export async function endState(world: CrashWorld) {
  const picture = await world.picture();
  const entries = entriesOf(world);
  const bundles = new Set(picture.objects.filter((each) => each.kind === "bundle").map((each) => each.digest));
  const nameBundle = (digest: unknown) => (typeof digest === "string" && bundles.has(digest) ? "a bundle" : digest);
  const created = new Map(
    Object.entries(picture.models).flatMap(([name, { versions }]) =>
      versions.map((each) => [`${name.split(".")[0]} v${each.version}`, each.createdAt]),
    ),
  );
  return {
    ledger: entries.map((entry) => {
      const body: Record<string, unknown> = { ...entry.body };
      if ("createdAt" in entry.body)
        body.createdAt = created.get(`${entry.body.environment} v${entry.body.version}`) === entry.body.createdAt;
      if ("bundle" in entry.body) body.bundle = nameBundle(entry.body.bundle);
      if ("verdicts" in entry.body) body.verdicts = entry.body.verdicts.map((each) => `${each.rule}: ${each.verdict}`);
      if ("approvals" in entry.body)
        body.approvals = entry.body.approvals.map((hash) => entries.find((each) => each.hash === hash)?.seq);
      if (entry.kind === "approved") {
        const { payload } = envelope.parse(entry.body).envelope;
        const said = approval.parse(JSON.parse(Buffer.from(payload, "base64").toString("utf8")));
        body.envelope = { ...said, predicate: { ...said.predicate, seen: "", notAfter: "" } };
      }
      return { kind: entry.kind, by: entry.by, body };
    }),
    models: Object.fromEntries(
      Object.entries(picture.models).map(([name, model]) => [
        name,
        {
          aliases: model.aliases,
          // The anchor must be an entry of the chain: which one is compared.
          tags: {
            ...model.tags,
            ...(BACK in model.tags && { [BACK]: model.tags[BACK]?.replace(/"at":"[^"]*"/, '"at":""') }),
            [MODEL_HEAD]: anchorOf(model.tags[MODEL_HEAD], entries),
          },
          versions: model.versions.map(({ version, status, digest, tags }) => ({
            version,
            status,
            digest,
            tags: { ...tags, "factory.bundle": nameBundle(tags["factory.bundle"]) },
          })),
        },
      ]),
    ),
    logged: picture.logged.map((each) => `${each.experiment} ${each.status} ${each.digest}`).sort(),
    objects: picture.objects
      .map((each) => ({
        where: `${each.experiment} ${each.kind}`,
        status: each.status,
        whole: each.files[each.kind === "bundle" ? "bundle.json" : "evidence.json"] === each.digest,
        files: each.kind === "bundle" ? Object.keys(each.files) : each.files,
      }))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    experiments: picture.experiments,
    left: leftOvers(world),
  };
}
export type EndState = Awaited<ReturnType<typeof endState>>;

function anchorOf(tag: string | undefined, entries: readonly Entry[]): string {
  const entry = entries.find((each) => `${each.seq}:${each.hash}` === tag);
  return entry === undefined ? `no entry: ${tag ?? "none"}` : `entry ${entry.seq}`;
}

/** Objects, and the private copy of a git repository without what a command of git or of factory was in the middle of. */
const CACHED = /^factory\/(?:objects\/[0-9a-f]{64}\/[^.]|ledger\/[0-9a-f]{32}\/(?!factory-|.*\.lock$))/;

/** Files that a later run would never remove: work, locks that somebody holds, and halves of files. */
export function leftOvers({ line, temporary }: Pick<CrashWorld, "line" | "temporary">): string[] {
  const homes = Object.values(line.people).map((each) => each.home);
  return [
    ...filesBelow(temporary),
    ...filesBelow(`${line.folder}/.factory`).filter(
      (path) =>
        !/^(?:ledger\.jsonl$|evidence\/)/.test(path) &&
        // The lock of a dead process is taken over by the next one that needs it.
        (path !== "ledger.jsonl.lock" || lockHolder(`${line.folder}/.factory/${path}`) !== undefined),
    ),
    ...homes.flatMap((home) => filesBelow(`${home}/cache`).filter((path) => !CACHED.test(path))),
  ];
}
