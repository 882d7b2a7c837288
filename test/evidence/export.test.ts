import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { registrationKeys } from "../../src/audit/audit-evidence.ts";
import type { Context } from "../../src/cli/context.ts";
import { makeStyle } from "../../src/cli/style.ts";
import { command } from "../../src/commands/evidence-export.ts";
import { readBundle } from "../../src/evidence/bundle.ts";
import { bundleContext } from "../../src/evidence/bundle-in-ledger.ts";
import { readSigned } from "../../src/evidence/objects.ts";
import { verifySignedEvidence } from "../../src/evidence/sign-evidence.ts";
import { verifyBundle } from "../../src/evidence/verify-bundle.ts";
import type { LedgerStore } from "../../src/ledger/store.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { makeWorld, type World } from "../scaffold/world.ts";
import { root } from "../support/paths.ts";
import { chainOf } from "./chain.ts";
import { promotedLine } from "./exported.ts";
import { memoryStore, POLICY, people } from "./world.ts";

let world: World;
let line: Awaited<ReturnType<typeof promotedLine>>;
/** Which environments' stores hold something. */
let stores: Record<string, ReturnType<typeof memoryStore>>;
let ledger = "";
beforeEach(async () => {
  world = makeWorld();
  line = await promotedLine(join(world.root, "line"));
  stores = { dev: memoryStore(), prod: line.store };
  ledger = line.chain.text;
  mkdirSync(join(dirname(world.templates), "docs"));
  for (const name of ["verify.py", "verify_all.py"])
    writeFileSync(join(dirname(world.templates), "docs", name), readFileSync(join(root, "docs", name)));
  writeFileSync(join(world.cwd, "policy.yaml"), POLICY.text);
  writeFileSync(
    join(world.cwd, "factory.yaml"),
    "factory: 1\nproject: claims-triage\npolicy: policy.yaml\nmodel: { name: claims.triage, train: python train.py }\n",
  );
});
afterEach(() => world.remove());

const context = (more: Partial<Context> = {}): Context => {
  const base = world.context(more);
  const store: LedgerStore = {
    place: "the ledger",
    local: true,
    read: async () => ({ text: Buffer.from(ledger), torn: Buffer.alloc(0) }),
    append: () => Promise.reject(new Error("nothing is appended")),
  };
  return {
    ...base,
    clients: {
      ...base.clients,
      ledger: async () => store,
      objects: async ({ name }) => stores[name] ?? memoryStore(),
    },
  };
};
const run = (input: object, more: Partial<Context> = {}) => command.run({ to: "audit", ...input }, context(more));
const audit = (...path: string[]) => join(world.cwd, "audit", ...path);

describe("evidence export", () => {
  test.each([
    ["in the project's git tree", "audit", true],
    ["beside it", "../audit", false],
  ])("a folder %s", async (_, to, noted) => {
    mkdirSync(join(world.cwd, ".git"));
    const notes: string[] = [];
    const { ok } = await run(
      { to, all: true },
      { report: (event) => event.type === "note" && notes.push(event.text), dryRun: true },
    );
    expect(ok).toBe(true);
    expect(notes.some((text) => text.includes("lies in the git tree of a project"))).toBe(noted);
  });

  test.each([{ all: true }, { version: "claims.triage/1" }, { version: "1" }])(
    "%j holds what verifies from files alone",
    async (input) => {
      const { ok, data } = await run(input);
      expect(ok).toBe(true);
      expect(data).toMatchObject({
        project: "claims-triage",
        head: `5:${line.chain.hashes.at(-1)}`,
        firstPolicy: POLICY.digest,
        evidence: [line.evidence.digest],
        bundles: [line.bundle.digest],
      });
      expect(readdirSync(audit()).sort()).toEqual([
        "README.txt",
        "bundles",
        "evidence",
        "ledger.jsonl",
        "verify.py",
        "verify_all.py",
      ]);
      expect(readFileSync(audit("ledger.jsonl"), "utf8")).toBe(ledger);
      for (const part of [POLICY.digest, `5:${line.chain.hashes.at(-1)}`, "python3 verify_all.py"])
        expect(readFileSync(audit("README.txt"), "utf8")).toContain(part);
      // The same chain and files by factory's own readers, told only what the export holds.
      const view = viewOf(readFileSync(audit("ledger.jsonl")));
      expect(view.problems).toEqual([]);
      const signed = await readSigned(audit("evidence", line.evidence.digest));
      const keys = registrationKeys(view, line.evidence.digest);
      expect(await verifySignedEvidence(signed.evidence, signed.signatures, keys)).toEqual({
        signedBy: [people.ci.keyId],
        flaws: [],
      });
      const promoted = view.entries.find((each) => each.kind === "promoted");
      if (promoted?.kind !== "promoted") throw new Error("no promotion");
      const bundle = await readBundle(audit("bundles", line.bundle.digest), line.bundle.digest);
      expect(verifyBundle(bundle, bundleContext(view, promoted))).toMatchObject({ flaws: [], approvals: [{}] });
      expect(command.render(data, makeStyle(false, 100))).toContain(`python3 verify_all.py . ${POLICY.digest}`);
      // Nothing is left beside it.
      expect(readdirSync(world.cwd).sort()).toEqual(["audit", "factory.yaml", "policy.yaml"]);
    },
  );

  test("--dry-run says what it would write, and writes nothing", async () => {
    const before = world.snapshot();
    const { data } = await run({ all: true }, { dryRun: true });
    expect(data).toMatchObject({ entries: 5, bundles: [line.bundle.digest] });
    expect(world.snapshot()).toEqual(before);
  });

  test("evidence of other versions stays out", async () => {
    const [first, second] = line.said;
    if (first === undefined || second?.kind !== "registered") throw new Error("another line");
    const other = {
      ...second,
      body: { ...second.body, version: "2", digest: "9".repeat(64), evidence: "8".repeat(64) },
    };
    ledger = chainOf([...line.said, other]).text;
    expect((await run({ version: "1" })).data).toMatchObject({ entries: 6, evidence: [line.evidence.digest] });
    await expect(run({ all: true, to: "all" })).rejects.toMatchObject({ code: "export.missing" });
    expect(readdirSync(world.cwd).sort()).toEqual(["audit", "factory.yaml", "policy.yaml"]);
  });

  test.each<[string, () => void, object, string, number]>([
    ["neither a version nor --all", () => {}, {}, "export.what", 2],
    ["both", () => {}, { all: true, version: "1" }, "export.what", 2],
    ["a version that the ledger does not know", () => {}, { version: "7" }, "version.unknown", 2],
    ["another model", () => {}, { version: "claims.other/1" }, "model.other", 2],
    ["a folder that is not empty", () => mkdirSync(audit("x"), { recursive: true }), { all: true }, "export.folder", 2],
    ["a file in its place", () => writeFileSync(audit(), ""), { all: true }, "export.folder", 2],
    [
      "an empty ledger",
      () => {
        ledger = "";
      },
      { all: true },
      "ledger.empty",
      2,
    ],
    [
      "a ledger with a flipped byte",
      () => {
        ledger = ledger.replace('"seq":3', '"seq":2');
      },
      { all: true },
      "ledger.broken",
      4,
    ],
    [
      "a bundle that no store has",
      () => void line.store.objects.delete(line.bundle.digest),
      { all: true },
      "export.missing",
      4,
    ],
    [
      "evidence with other bytes",
      () => void line.store.objects.get(line.evidence.digest)?.set("junit/unit.xml", Buffer.from("<testsuitez/>")),
      { all: true },
      "export.missing",
      4,
    ],
  ])("with %s nothing is written", async (_, change, input, code, exit) => {
    change();
    const before = readdirSync(world.cwd);
    await expect(run(input)).rejects.toMatchObject({ code, exit });
    expect(readdirSync(world.cwd)).toEqual(before);
  });

  test("an empty folder is taken, and a failed export leaves it empty", async () => {
    mkdirSync(audit());
    const kept = new Map(line.store.objects);
    line.store.objects.clear();
    await expect(run({ all: true })).rejects.toMatchObject({ code: "export.missing" });
    expect(readdirSync(audit())).toEqual([]);
    for (const [digest, files] of kept) line.store.objects.set(digest, files);
    await run({ all: true });
    expect(readdirSync(audit()).length).toBe(6);
  });

  test("what one environment has lost comes from another", async () => {
    stores = { dev: line.store, prod: memoryStore() };
    stores.prod?.objects.set(line.bundle.digest, line.store.objects.get(line.bundle.digest) ?? new Map());
    expect((await run({ all: true })).data).toMatchObject({ evidence: [line.evidence.digest] });
  });
});
