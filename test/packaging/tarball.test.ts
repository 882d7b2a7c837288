import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { factory, makeHome } from "../support/factory.ts";
import { filesBelow, installedProgram, nodeBinary, packAndInstall } from "../support/package.ts";
import { root } from "../support/paths.ts";
import { covering } from "../support/sample.ts";

const MAX_PACKAGES = 10;
const MAX_BYTES = 80 * 1_000_000;
const home = makeHome();
let packed: string[] = [];
let installed = "";
let bin = "";

beforeAll(() => {
  ({ packed, installed } = packAndInstall(home.folder));
  bin = join(installed, "node_modules/.bin/factory");
});
afterAll(() => home.remove());

/** The installed program, started as a user's shell would. */
function run(args: readonly string[], cwd: string) {
  return spawnSync(bin, args, { cwd, env: home.variables, encoding: "utf8", timeout: 280_000 });
}

/** Folders of `node_modules` that hold a package. */
function packages(): string[] {
  const modules = join(installed, "node_modules");
  const names = readdirSync(modules).filter((name) => !name.startsWith("."));
  return names.flatMap((name) =>
    name.startsWith("@")
      ? readdirSync(join(modules, name)).map((each) => join(modules, name, each))
      : [join(modules, name)],
  );
}

test("the tarball holds what the program needs, and nothing of the workshop", () => {
  const needed = [
    "dist/main.js",
    "dist/THIRD-PARTY-NOTICES.txt",
    "schemas/factory.schema.json",
    "schemas/output/check.schema.json",
    "LICENSE",
    "package.json",
  ];
  expect(needed.filter((path) => !packed.includes(path))).toEqual([]);
  expect(packed.filter((path) => /^(?:src|test|scripts|bench|node_modules|\.)|\/\.sources$|\.map$/.test(path))).toEqual(
    [],
  );
  const templates = [...filesBelow(join(root, "templates")).keys()].map((path) => `templates/${path}`);
  expect(templates.length).toBeGreaterThan(50);
  expect(templates.filter((path) => !packed.includes(path))).toEqual([]);
});

test(`at most ${MAX_PACKAGES} runtime packages and 80 MB, none with an install script`, () => {
  const manifests = packages().map((folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")));
  expect(manifests.map((manifest) => manifest.name)).toContain("pilot-to-production");
  expect(manifests.length).toBeLessThanOrEqual(MAX_PACKAGES);
  const scripts = manifests.filter(({ scripts = {} }) =>
    ["preinstall", "install", "postinstall"].some((name) => name in scripts),
  );
  expect(scripts.map((manifest) => manifest.name)).toEqual([]);
  const kib = Number(
    /^\d+/.exec(spawnSync("du", ["-sk", join(installed, "node_modules")], { encoding: "utf8" }).stdout)?.[0],
  );
  expect(kib).toBeGreaterThan(1000);
  expect(kib * 1024).toBeLessThanOrEqual(MAX_BYTES);
});

describe("installed in an empty folder", () => {
  test("--help and --version", async () => {
    const help = run(["--help"], installed);
    expect([help.status, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toContain("quickstart");
    expect(run(["--version"], installed).stdout).toBe(
      `${JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version}\n`,
    );
  });

  test("new makes the same files as the clone does, byte for byte, and check passes there", async () => {
    const made = run(["new", "proj", "--yes"], installed);
    expect([made.status, made.stderr]).toEqual([0, ""]);
    const clone = join(home.folder, "clone");
    expect(
      (
        await factory(["new", "proj", "--yes", "--no-git", "--dir", clone], {
          cwd: home.folder,
          variables: home.variables,
        })
      ).status,
    ).toBe(0);
    const files = (folder: string) =>
      [...filesBelow(folder)]
        .filter(([path]) => !path.startsWith(".git/"))
        .map(([path, text]) => [path, text.replace(/createdAt: .*/, "createdAt:")]);
    expect(files(join(installed, "proj"))).toEqual(files(join(clone, "proj")));
    expect(existsSync(join(installed, "proj/.gitignore"))).toBe(true);
    const checked = run(["check", "--project-only", "--only", "docs,secrets"], join(installed, "proj"));
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
  });
});

// Which of them in CI, the seed says.
const majors = covering([22, 24], 4, (major) => `Node ${major}`);
describe.each(majors)("Node %i", (major) => {
  test("starts, makes a project and passes the pure tests", () => {
    const node = nodeBinary(major);
    const call = (args: string[], cwd = installed) =>
      spawnSync(node, args, { cwd, env: home.variables, encoding: "utf8", timeout: 200_000 });
    expect(call(["--version"]).stdout).toMatch(new RegExp(`^v${major}\\.`));
    const program = installedProgram(installed);
    for (const args of [["--help"], ["--version"], ["templates"], ["new", `on-${major}`, "--yes", "--no-git"]]) {
      const { status, stderr } = call([program, ...args]);
      expect([args, status, stderr]).toEqual([args, 0, ""]);
    }
    const pure = ["test/gates", "test/policy", "test/project", "test/contracts", "test/people/changed-by.test.ts"];
    const ran = call([join(root, "node_modules/vitest/vitest.mjs"), "run", ...pure], root);
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout).toMatch(/Tests .*\d+ passed/);
  });
});
