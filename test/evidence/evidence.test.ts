import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { evidenceIndex, parseIndex } from "../../src/evidence/evidence-index.ts";
import { extendEvidence, readAttachment } from "../../src/evidence/extend.ts";
import { findEvidence } from "../../src/evidence/find-evidence.ts";
import { latestEvidence, readEvidence } from "../../src/evidence/read-evidence.ts";
import { planEvidence, sealEvidence } from "../../src/evidence/seal.ts";
import { canonicalJson } from "../../src/lib/canonical-json.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { attachments, DIGEST, facts, gates } from "./sample.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "factory-evidence-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function parsed(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

describe("sealing", () => {
  test("the digest is that of evidence.json, every listed file has its digest, and reading gives back what was sealed", async () => {
    const sealed = await sealEvidence(facts, gates, attachments, root);
    expect(sha256(readFileSync(join(sealed.folder, "evidence.json")))).toBe(sealed.digest);
    expect(sealed.folder).toBe(join(root, sealed.digest));
    expect(readFileSync(join(root, "latest"), "utf8")).toBe(`${sealed.digest}\n`);
    const sums = sealed.files.map((file) => `${file.sha256}  ${file.path}\n`).join("");
    expect(execFileSync("sha256sum", ["-c", "--quiet"], { cwd: sealed.folder, input: sums, encoding: "utf8" })).toBe(
      "",
    );
    const read = await readEvidence(sealed.folder);
    expect(read.facts).toEqual(facts);
    expect(read.gates.map((gate) => `${gate.gate} ${gate.verdict}`).sort()).toEqual([
      "data fail",
      "model error",
      "unit pass",
    ]);
    expect(readdirSync(root).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("the same findings give the same digest; any other fact another one", async () => {
    const one = await sealEvidence(facts, gates, attachments, root);
    expect((await sealEvidence(facts, gates, [...attachments].reverse(), root)).digest).toBe(one.digest);
    expect((await sealEvidence({ ...facts, dirty: true }, gates, attachments, root)).digest).not.toBe(one.digest);
    expect((await sealEvidence(facts, gates.slice(1), attachments, root)).digest).not.toBe(one.digest);
  });

  test("statements are in-toto: a test result per gate, one provenance; subjects are model and wheel", async () => {
    const { folder } = await sealEvidence(facts, gates, attachments, root);
    const subject = [
      { name: "claims.triage", digest: { sha256: DIGEST.model } },
      { name: "wheel/claims_triage-1.0.0-py3-none-any.whl", digest: { sha256: sha256(Buffer.from([80, 75, 3, 4])) } },
    ];
    expect(parsed(join(folder, "statements/unit.json"))).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      subject,
      predicateType: "https://in-toto.io/attestation/test-result/v0.1",
      predicate: {
        result: "PASSED",
        configuration: [{ name: "junit/unit.xml", digest: { sha256: sha256("<testsuites/>") } }],
        annotations: { factory: { facts } },
      },
    });
    expect(parsed(join(folder, "statements/model.json"))).toMatchObject({
      predicate: { result: "FAILED", annotations: { factory: { gate: { verdict: "error" } } } },
    });
    expect(parsed(join(folder, "statements/provenance.json"))).toMatchObject({
      subject,
      predicateType: "https://slsa.dev/provenance/v1",
      predicate: {
        buildDefinition: {
          resolvedDependencies: [
            { digest: { gitCommit: facts.commit } },
            { name: "data/claims.csv" },
            { name: "uv.lock" },
          ],
        },
      },
    });
  });

  test.each(["../x", "/x", ".hidden", "a b", "ü.md", "a//b", "a/../b", "", "x\\y"])(
    "an attachment called %j is refused",
    (name) => {
      expect(() => planEvidence(facts, gates, [{ kind: "report", name, content: "" }])).toThrow(
        /cannot be a file's name/,
      );
    },
  );

  test("two attachments that differ only in case are refused", async () => {
    const twice = [...attachments, { kind: "project" as const, name: "Factory.yaml", content: "" }];
    await expect(sealEvidence(facts, gates, twice, root)).rejects.toMatchObject({ code: "evidence.twice" });
    expect(readdirSync(root)).toEqual([]);
  });

  test("facts that are not complete are a bug, not evidence", () => {
    expect(() => planEvidence({ ...facts, model: { name: "x", digest: "short" } }, gates, [])).toThrow();
  });
});

describe("reading believes nothing", () => {
  const edits: { name: string; code: string; edit(folder: string): void }[] = [
    {
      name: "a changed attachment",
      code: "evidence.changed",
      edit: (folder) => writeFileSync(join(folder, "project/factory.yaml"), "factory: 2\n"),
    },
    {
      name: "a changed byte of the same length",
      code: "evidence.changed",
      edit: (folder) => writeFileSync(join(folder, "junit/unit.xml"), "<testsuitez/>"),
    },
    { name: "a missing file", code: "evidence.lost", edit: (folder) => unlinkSync(join(folder, "junit/unit.xml")) },
    {
      name: "an extra file",
      code: "evidence.extra",
      edit: (folder) => writeFileSync(join(folder, "junit/extra.xml"), ""),
    },
    { name: "a hidden extra file", code: "evidence.extra", edit: (folder) => writeFileSync(join(folder, ".x"), "") },
    {
      name: "a link in place of a file",
      code: "evidence.file",
      edit: (folder) => {
        unlinkSync(join(folder, "junit/unit.xml"));
        symlinkSync(join(folder, "project/factory.yaml"), join(folder, "junit/unit.xml"));
      },
    },
    {
      name: "a changed index",
      code: "evidence.digest",
      edit: (folder) =>
        writeFileSync(join(folder, "evidence.json"), `${readFileSync(join(folder, "evidence.json"), "utf8")} `),
    },
    { name: "no index", code: "evidence.missing", edit: (folder) => unlinkSync(join(folder, "evidence.json")) },
  ];
  test.each(edits)("$name", async ({ code, edit }) => {
    const { folder } = await sealEvidence(facts, gates, attachments, root);
    for (const path of ["evidence.json", "project/factory.yaml", "junit/unit.xml"])
      chmodSync(join(folder, path), 0o644);
    edit(folder);
    await expect(readEvidence(folder)).rejects.toMatchObject({ code, exit: 2 });
  });

  test("evidence under the digest of another", async () => {
    const { folder } = await sealEvidence(facts, gates, attachments, root);
    await expect(readEvidence(folder, "0".repeat(64))).rejects.toMatchObject({ code: "evidence.digest" });
  });

  /** Writes evidence whose index is right, with one statement replaced: what a forger without a key could hand in. */
  function forge(path: string, change: (text: string) => string): string {
    const folder = join(root, "forged");
    const files = planEvidence(facts, gates, attachments).map((file) => ({
      ...file,
      text: typeof file.content === "string" ? file.content : Buffer.from(file.content),
    }));
    const changed = files.map((file) =>
      file.path === path && typeof file.text === "string" ? { ...file, text: change(file.text) } : file,
    );
    for (const file of changed) {
      mkdirSync(join(folder, file.path, ".."), { recursive: true });
      writeFileSync(join(folder, file.path), file.text);
    }
    writeFileSync(
      join(folder, "evidence.json"),
      evidenceIndex(
        changed.map(({ path, text, mediaType }) => ({
          path,
          sha256: sha256(text),
          mediaType,
          bytes: Buffer.byteLength(text),
        })),
      ),
    );
    return folder;
  }

  test.each([
    [
      "a result that contradicts its verdict",
      "statements/data.json",
      (text: string) => text.replace('"result":"FAILED"', '"result":"PASSED"'),
      "evidence.statement",
    ],
    [
      "another model as subject",
      "statements/unit.json",
      (text: string) => text.replaceAll(DIGEST.model, "9".repeat(64)),
      "evidence.statements",
    ],
    [
      "facts of another run",
      "statements/unit.json",
      (text: string) => text.replace('"dirty":false', '"dirty":true'),
      "evidence.statements",
    ],
    [
      "a key that stands twice",
      "statements/unit.json",
      (text: string) => text.replace('"result":"PASSED"', '"result":"FAILED","result":"PASSED"'),
      "evidence.canonical",
    ],
    ["white space", "statements/unit.json", (text: string) => text.replace("{", "{ "), "evidence.canonical"],
    [
      "a predicate of another type",
      "statements/unit.json",
      (text: string) => text.replace("test-result/v0.1", "test-result/v9"),
      "evidence.form",
    ],
    ["not JSON", "statements/unit.json", () => "hello", "evidence.json"],
  ] as const)("%s", async (_, path, change, code) => {
    await expect(readEvidence(forge(path, change))).rejects.toMatchObject({ code, exit: 2 });
  });

  test("the forger's folder is read when nothing is forged", async () => {
    expect((await readEvidence(forge("statements/unit.json", (text) => text))).facts).toEqual(facts);
  });

  const file = { path: "a", sha256: "0".repeat(64), mediaType: "text/plain", bytes: 0 };
  test.each([
    ["a key twice", `{"files":[],"v":1,"v":1}\n`],
    ["unsorted files", `${canonicalJson({ v: 1, files: [{ ...file, path: "b" }, file] })}\n`],
    ["a path twice", `${canonicalJson({ v: 1, files: [file, file] })}\n`],
    ["a path out of the folder", `${canonicalJson({ v: 1, files: [{ ...file, path: "../a" }] })}\n`],
    ["the index itself", `${canonicalJson({ v: 1, files: [{ ...file, path: "evidence.json" }] })}\n`],
    ["no final newline", canonicalJson({ v: 1, files: [file] })],
    ["a later version", `${canonicalJson({ v: 2, files: [file] })}\n`],
    ["an unknown key", `${canonicalJson({ v: 1, files: [file], x: 1 })}\n`],
  ])("an index with %s", (_, text) => {
    expect(() => parseIndex(text)).toThrow();
  });
});

describe("adding and finding", () => {
  test("adding seals new evidence that holds all of the old, which stays as it was", async () => {
    const first = await sealEvidence(facts, gates, attachments, root);
    const evidence = await readEvidence(first.folder);
    const report = join(root, "My Report (1).md");
    writeFileSync(report, "fair enough\n");
    const { name, content } = await readAttachment(report, undefined);
    const second = await extendEvidence(
      evidence,
      { kind: "report", name, content },
      root,
      new Date("2026-11-25T11:00:00Z"),
    );
    expect(second).toMatchObject({ extends: first.digest, added: "report/My-Report-1-.md" });
    expect(second.digest).not.toBe(first.digest);
    expect((await readEvidence(first.folder)).digest).toBe(first.digest);
    const latest = await latestEvidence(root);
    expect(latest?.digest).toBe(second.digest);
    expect(latest?.facts).toEqual(facts);
    expect(parsed(join(second.folder, "extends/1.json"))).toMatchObject({
      extends: first.digest,
      added: second.added,
      sha256: sha256("fair enough\n"),
    });
    if (latest === undefined) throw new Error("unreachable");
    await expect(
      extendEvidence(latest, { kind: "report", name: "my-report-1-.md", content }, root, new Date()),
    ).rejects.toMatchObject({ code: "evidence.twice" });
    const third = await extendEvidence(
      latest,
      { kind: "checklist", name: "a.md", content },
      root,
      new Date("2026-11-25T12:00:00Z"),
    );
    expect(third.files.map((file) => file.path)).toContain("extends/2.json");
  });

  test("found by the latest, by the first digits, and not by nonsense", async () => {
    await expect(findEvidence(root, undefined)).rejects.toMatchObject({ code: "evidence.none" });
    const sealed = await sealEvidence(facts, gates, attachments, root);
    expect((await findEvidence(root, undefined)).digest).toBe(sealed.digest);
    expect((await findEvidence(root, `sha256:${sealed.digest.slice(0, 10).toUpperCase()}`)).digest).toBe(sealed.digest);
    await expect(findEvidence(root, "../../etc")).rejects.toMatchObject({ code: "evidence.digest" });
    await expect(findEvidence(root, "00000000")).rejects.toMatchObject({ code: "evidence.unknown" });
  });

  test("only plain files can be attached", async () => {
    writeFileSync(join(root, "file"), "x");
    symlinkSync(join(root, "file"), join(root, "link"));
    await expect(readAttachment(join(root, "link"), undefined)).rejects.toMatchObject({ code: "evidence.file" });
    await expect(readAttachment(root, undefined)).rejects.toMatchObject({ code: "evidence.file" });
    await expect(readAttachment(join(root, "none"), undefined)).rejects.toMatchObject({ code: "evidence.file" });
  });
});
