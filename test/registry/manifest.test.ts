import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { sha256 } from "../../src/lib/hash.ts";
import { manifestOf, modelDigest, pathProblem } from "../../src/registry/manifest.ts";
import { digestModel, fetchModel, type ModelSource, manifestOfFolder } from "../../src/registry/model-files.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function folderWith(files: Record<string, string | Buffer>): string {
  const folder = mkdtempSync(join(tmpdir(), "factory-manifest-"));
  folders.push(folder);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}
const A = "a".repeat(64);

describe("paths that cannot stand in a manifest", () => {
  test.each([
    "",
    "/etc/passwd",
    "../up",
    "a/../b",
    "a/..",
    "a\nb",
    "a\rb",
    "a\\b",
    "a//b",
    "./a",
    "a/.",
    "a/",
    "a\0b",
    "a\ud800b",
  ])("%j", (path) => {
    expect(pathProblem(path)).toBeDefined();
    expect(() => manifestOf([{ path, sha256: A }])).toThrow();
  });
  test.each(["MLmodel", "a b/c", "..a", "a..b/c...", "data/ünïcode.txt", ".hidden/.x", "-rf", "*"])(
    "%j may",
    (path) => {
      expect(pathProblem(path)).toBeUndefined();
    },
  );
});

test("lines are sorted by UTF-8 bytes, not by UTF-16 units", () => {
  const paths = ["\u{1F600}", "\uFB01", "Z", "a", "a/b", "a-b"];
  const lines = manifestOf(paths.map((path) => ({ path, sha256: A })))
    .trimEnd()
    .split("\n");
  expect(lines.map((line) => line.slice(66))).toEqual(["Z", "a", "a-b", "a/b", "\uFB01", "\u{1F600}"]);
});

test("a path twice, or no digest, is refused", () => {
  expect(() =>
    manifestOf([
      { path: "a", sha256: A },
      { path: "a", sha256: A },
    ]),
  ).toThrow("twice");
  expect(() => manifestOf([{ path: "a", sha256: "A".repeat(64) }])).toThrow("SHA-256");
});

test("sha256sum -c accepts the manifest of a folder, and notices a change", async () => {
  const folder = folderWith({
    MLmodel: "flavors: {}\n",
    "data/model.skops": Buffer.alloc(700_000, 7),
    ".hidden": "",
    "with space/ü.txt": "x",
  });
  const { manifest, digest, files, bytes } = await manifestOfFolder(folder);
  expect(files.map((file) => file.path)).toEqual([".hidden", "MLmodel", "data/model.skops", "with space/ü.txt"]);
  expect(bytes).toBe(700_013);
  expect(digest).toBe(sha256(manifest));
  expect(digest).toBe(modelDigest(manifest));
  const check = () =>
    execFileSync("sha256sum", ["-c", "--strict", "--quiet"], {
      cwd: folder,
      input: manifest,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  expect(check()).toBe("");
  writeFileSync(join(folder, "MLmodel"), "flavors: {a: 1}\n");
  expect(check).toThrow();
});

test("a link in a model's folder is refused", async () => {
  const folder = folderWith({ MLmodel: "x" });
  symlinkSync("/etc/hostname", join(folder, "link"));
  await expect(manifestOfFolder(folder)).rejects.toMatchObject({ code: "model.path" });
});

function source(paths: readonly string[]): ModelSource {
  return {
    label: "claims.triage v1",
    files: async () => paths.map((path) => ({ path, bytes: 1 })),
    fetch: async (path, to, onBytes) => {
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, path);
      onBytes?.(path.length);
      return { sha256: sha256(path), bytes: path.length };
    },
    digest: async (path) => ({ sha256: sha256(path), bytes: path.length }),
  };
}

describe("fetching", () => {
  test.each([
    { name: "no file", paths: [], code: "model.empty" },
    { name: "no MLmodel", paths: ["data/x"], code: "model.mlmodel" },
    { name: "MLmodel only deeper", paths: ["a/MLmodel"], code: "model.mlmodel" },
    { name: "a way out of the folder", paths: ["MLmodel", "../../x"], code: "model.path" },
    { name: "a path twice", paths: ["MLmodel", "MLmodel"], code: "model.path" },
  ])("$name is refused before anything is written", async ({ paths, code }) => {
    const folder = join(folderWith({}), "model");
    await expect(fetchModel(source(paths), folder, () => {})).rejects.toMatchObject({ code, exit: 4 });
    await expect(digestModel(source(paths), () => {})).rejects.toMatchObject({ code, exit: 4 });
    await expect(manifestOfFolder(folder)).rejects.toThrow();
  });

  test("gives the digest that the folder has afterwards", async () => {
    const folder = join(folderWith({}), "model");
    const fetched = await fetchModel(source(["MLmodel", "b/c", "b/a", "z"]), folder, () => {});
    expect(fetched).toEqual(await manifestOfFolder(folder));
    expect(await digestModel(source(["MLmodel", "b/c", "b/a", "z"]), () => {})).toEqual(fetched);
  });

  test("not into a folder that holds something", async () => {
    await expect(fetchModel(source(["MLmodel"]), folderWith({ x: "" }), () => {})).rejects.toMatchObject({
      code: "model.folder",
    });
  });
});
