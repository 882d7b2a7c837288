import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { evidenceIndex } from "../../src/evidence/evidence-index.ts";
import { fetchEvidence, fetchObject, putBundle, putEvidence } from "../../src/evidence/objects.ts";
import { type Evidence, readEvidence } from "../../src/evidence/read-evidence.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import { signEvidence } from "../../src/evidence/sign-evidence.ts";
import { canonicalJson } from "../../src/lib/canonical-json.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { attachments, facts, gates } from "./sample.ts";
import { bundleOf, memoryStore, people } from "./world.ts";

/** Stores and caches that somebody else can write to. */

let root = "";
let cache = "";
let evidence: Evidence;
let store: ReturnType<typeof memoryStore>;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "factory-objects-"));
  cache = join(root, "cache");
  evidence = await readEvidence((await sealEvidence(facts, gates, attachments, join(root, "sealed"))).folder);
  store = memoryStore();
  await putEvidence(store, evidence, await signEvidence(evidence, people.ci), facts.model.name);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const files = () => store.objects.get(evidence.digest) ?? new Map<string, Buffer>();
const fetch = () => fetchObject(store, evidence.digest, "evidence.json", cache);
const file = { path: "a", sha256: sha256(""), mediaType: "text/plain", bytes: 0 };
/** An object of which only the index is there, under its own digest. */
function indexOnly(text: string): string {
  store.objects.set(sha256(text), new Map([["evidence.json", Buffer.from(text)]]));
  return sha256(text);
}

describe("what a store gives", () => {
  test.each([
    ["a page", Buffer.from("<html>Please sign in</html>")],
    ["half of it", Buffer.from("{")],
  ])("%s once or twice instead of a file is read again", async (_, wrong) => {
    const reads = new Map<string, number>();
    const between: typeof store = {
      ...store,
      async read(digest, path, maxBytes) {
        const count = (reads.get(path) ?? 0) + 1;
        reads.set(path, count);
        return count < 3 && ["evidence.json", "junit/unit.xml"].includes(path)
          ? wrong
          : store.read(digest, path, maxBytes);
      },
    };
    const folder = await fetchObject(between, evidence.digest, "evidence.json", cache);
    for (const path of ["evidence.json", "junit/unit.xml"])
      expect(readFileSync(join(folder, path))).toEqual(files().get(path));
    expect(reads.get("junit/unit.xml")).toBe(3);
    expect(Math.max(...reads.values())).toBe(3);
  });

  test.each<[string, () => void, code: string, words: RegExp]>([
    ["nothing", () => store.objects.clear(), "object.missing", /nothing is stored/],
    ["no index", () => files().delete("evidence.json"), "object.lost", /evidence\.json is missing/],
    ["another index", () => files().set("evidence.json", Buffer.from("{}\n")), "object.changed", /another digest/],
    ["a file less", () => files().delete("junit/unit.xml"), "object.lost", /junit\/unit\.xml is missing/],
    [
      "other bytes",
      () => files().set("junit/unit.xml", Buffer.from("<testsuitez/>")),
      "object.changed",
      /junit\/unit\.xml/,
    ],
    ["fewer bytes", () => files().set("junit/unit.xml", Buffer.from("")), "object.changed", /junit\/unit\.xml/],
    [
      "a file of signatures that it does not hand out",
      () => {
        const list = store.list;
        store.list = async (digest) => [...(await list(digest)), `signatures/${people.owner.keyId}.jsonl`];
      },
      "object.lost",
      /signatures/,
    ],
    [
      "a flood of signatures",
      () => {
        for (let i = 0; i < 21; i += 1) files().set(`signatures/${String(i).padStart(64, "0")}.jsonl`, Buffer.from(""));
      },
      "object.size",
      /22 files of signatures/,
    ],
  ])("%s is refused, and leaves nothing in the cache", async (_, change, code, words) => {
    change();
    await expect(fetch()).rejects.toMatchObject({ code, exit: 4, message: expect.stringMatching(words) });
    const left = existsSync(join(cache, "objects")) ? readdirSync(join(cache, "objects")) : [];
    expect(left.filter((name) => name !== evidence.digest)).toEqual([]);
  });

  test("more files than the index lists are never fetched", async () => {
    files().set("junit/extra.xml", Buffer.from("x"));
    files().set("signatures/../../../x", Buffer.from("x"));
    files().set(`signatures/${"A".repeat(64)}.jsonl`, Buffer.from("x"));
    const { evidence: read, signatures } = await fetchEvidence(store, evidence.digest, cache);
    expect(read.files).toEqual(evidence.files);
    expect(signatures.map((each) => each.path)).toEqual([`signatures/${people.ci.keyId}.jsonl`]);
    expect(store.reads).not.toContain("junit/extra.xml");
  });

  test.each<[string, string, code: string]>([
    ["a path out of the folder", `${canonicalJson({ v: 1, files: [{ ...file, path: "../a" }] })}\n`, "object.index"],
    ["an absolute path", `${canonicalJson({ v: 1, files: [{ ...file, path: "/etc/a" }] })}\n`, "object.index"],
    ["a path with a backslash", `${canonicalJson({ v: 1, files: [{ ...file, path: "a\\b" }] })}\n`, "object.index"],
    [
      "two paths that differ in case",
      evidenceIndex([
        { ...file, path: "a/B" },
        { ...file, path: "a/b" },
      ]),
      "object.index",
    ],
    [
      "a file and a folder of one name",
      evidenceIndex([
        { ...file, path: "a" },
        { ...file, path: "a/b" },
      ]),
      "object.index",
    ],
    ["a file in the place of signatures", evidenceIndex([{ ...file, path: "signatures/a" }]), "object.index"],
    ["the index in itself", evidenceIndex([{ ...file, path: "evidence.json" }]), "object.index"],
    ["a key twice", `{"files":[],"files":[],"v":1}\n`, "object.index"],
    ["more bytes than evidence may have", evidenceIndex([{ ...file, bytes: 65 << 20 }]), "object.size"],
    [
      "more bytes in all than evidence may have",
      evidenceIndex(Array.from({ length: 20 }, (_, i) => ({ ...file, path: `a/${i}`, bytes: 60 << 20 }))),
      "object.size",
    ],
  ])("an index with %s is refused before anything is written", async (_, text, code) => {
    const digest = indexOnly(text);
    await expect(fetchObject(store, digest, "evidence.json", cache)).rejects.toMatchObject({ code, exit: 4 });
    expect(store.reads).toEqual(["evidence.json"]);
    expect(readdirSync(root).sort()).toEqual(["cache", "sealed"]);
  });

  test("what is no digest is not looked up", async () => {
    await expect(fetchObject(store, "../x", "evidence.json", cache)).rejects.toMatchObject({ code: "object.digest" });
  });
});

describe("what the cache holds", () => {
  test.each<[string, (folder: string) => void]>([
    ["a changed file", (folder) => writeFileSync(join(folder, "project/factory.yaml"), "factory: 2\n")],
    ["a missing file", (folder) => rmSync(join(folder, "junit/unit.xml"))],
    ["an extra file", (folder) => writeFileSync(join(folder, "junit/extra.xml"), "x")],
    ["another index", (folder) => writeFileSync(join(folder, "evidence.json"), "{}\n")],
    [
      "a link with the right bytes behind it",
      (folder) => {
        rmSync(join(folder, "project/factory.yaml"));
        symlinkSync(join(evidence.folder, "project/factory.yaml"), join(folder, "project/factory.yaml"));
      },
    ],
    [
      "a link in place of a folder",
      (folder) => {
        rmSync(join(folder, "project"), { recursive: true });
        symlinkSync(join(evidence.folder, "project"), join(folder, "project"));
      },
    ],
    [
      "a link in place of the whole",
      (folder) => {
        rmSync(folder, { recursive: true });
        symlinkSync(evidence.folder, folder);
      },
    ],
    [
      "a file in place of the whole",
      (folder) => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, "x");
      },
    ],
    ["an empty folder", (folder) => mkdirSync(join(folder, "more"))],
    [
      "a folder in place of a signature",
      (folder) => mkdirSync(join(folder, `signatures/${people.owner.keyId}.jsonl`), { recursive: true }),
    ],
  ])("%s is fetched again", async (_, change) => {
    const folder = await fetch();
    for (const path of ["project/factory.yaml", "evidence.json"]) chmodSync(join(folder, path), 0o600);
    change(folder);
    store.reads.length = 0;
    expect(await fetch()).toBe(folder);
    expect(store.reads).toContain("evidence.json");
    expect((await readEvidence(folder, evidence.digest, { signatures: true })).files).toEqual(evidence.files);
    // Nothing was written through a link.
    expect((await readEvidence(evidence.folder)).digest).toBe(evidence.digest);
  });

  test("signatures that the store does not have are gone, and those that it has are as it has them", async () => {
    const folder = await fetch();
    mkdirSync(join(folder, "signatures"), { recursive: true });
    writeFileSync(join(folder, `signatures/${people.owner.keyId}.jsonl`), "");
    chmodSync(join(folder, `signatures/${people.ci.keyId}.jsonl`), 0o600);
    writeFileSync(join(folder, `signatures/${people.ci.keyId}.jsonl`), "");
    const { signatures } = await fetchEvidence(store, evidence.digest, cache);
    expect(signatures).toEqual(await signEvidence(evidence, people.ci));
  });

  test("a whole one is kept when a store has lost its files, but not when it has lost all", async () => {
    await fetch();
    files().delete("junit/unit.xml");
    await fetch();
    store.objects.clear();
    await expect(fetch()).rejects.toMatchObject({ code: "object.missing" });
  });
});

test("several commands at once use one cache", async () => {
  const all = await Promise.all(Array.from({ length: 6 }, () => fetchEvidence(store, evidence.digest, cache)));
  for (const { evidence: read, signatures } of all) {
    expect(read.files).toEqual(evidence.files);
    expect(signatures.length).toBe(1);
  }
  expect(readdirSync(join(cache, "objects"))).toEqual([evidence.digest]);
});

test("a bundle is fetched by its own rules", async () => {
  const planned = bundleOf(evidence.digest);
  await putBundle(store, planned, facts.model.name);
  const folder = await fetchObject(store, planned.digest, "bundle.json", cache);
  const paths = planned.files.map((each) => each.path).sort();
  expect(readdirSync(folder).sort()).toEqual(paths);
  mkdirSync(join(folder, "signatures"));
  await fetchObject(store, planned.digest, "bundle.json", cache);
  expect(readdirSync(folder).sort()).toEqual(paths);
  await expect(fetchObject(store, planned.digest, "evidence.json", join(root, "other"))).rejects.toMatchObject({
    code: "object.lost",
  });
});

test("a file that changed while it was read is not stored", async () => {
  chmodSync(join(evidence.folder, "junit/unit.xml"), 0o600);
  writeFileSync(join(evidence.folder, "junit/unit.xml"), "<testsuitez/>");
  await expect(putEvidence(memoryStore(), evidence, [], facts.model.name)).rejects.toMatchObject({
    code: "object.changed",
  });
});
