import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { checkBundle } from "../../src/bundle/check-bundle.ts";
import { matcher } from "../../src/bundle/glob.ts";
import { at } from "../../src/bundle/node.ts";
import { readBundleFiles } from "../../src/bundle/read-bundle.ts";
import { mergeValues, resolveBundle } from "../../src/bundle/resolve.ts";
import { root } from "../support/paths.ts";
import { templateBundle } from "./template.ts";

const folder = join(root, "test/bundle");
const expectation = z.object({
  bundle: z.string(),
  severity: z.enum(["error", "warning"]),
  file: z.string(),
  line: z.int().nullable(),
  says: z.string(),
});
const broken = z.array(expectation).parse(JSON.parse(readFileSync(join(folder, "broken/expected.json"), "utf8")));

describe("bundles with one flaw each", () => {
  it("a whole one has no finding", () => {
    expect(checkBundle(readBundleFiles(join(folder, "whole"))).findings).toEqual([]);
  });

  it("every broken bundle has its expectation", () => {
    const folders = readdirSync(join(folder, "broken"), { withFileTypes: true }).filter((each) => each.isDirectory());
    expect(folders.map((each) => each.name).sort()).toEqual(broken.map((each) => each.bundle).sort());
    expect(broken.length).toBeGreaterThanOrEqual(30);
  });

  it.each(broken)("$bundle: $says", ({ bundle, severity, file, line, says }) => {
    const { findings } = checkBundle(readBundleFiles(join(folder, "broken", bundle)));
    const shown = findings.map((each) => `${each.severity} ${each.file}:${each.line} ${each.message}`);
    expect(findings, shown.join("\n")).toHaveLength(1);
    expect(findings[0]?.message).toContain(says);
    expect(findings[0]).toMatchObject({ severity, file });
    expect(findings[0]?.line).toBeTypeOf("number");
    if (line !== null) expect(findings[0]?.line).toBe(line);
  });
});

describe("the bundle of a new project", () => {
  it("waits for the service principal of its production targets, and for nothing else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "factory-bundle-"));
    try {
      for (const [name, bundle] of await templateBundle(folder, { runAs: "" })) {
        const said = checkBundle(readBundleFiles(bundle)).findings.map((each) => `${each.file} ${each.message}`);
        expect(said, name).toEqual([
          "databricks.yml run_as of target test names nobody: its value is empty",
          "databricks.yml run_as of target prod names nobody: its value is empty",
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a bundle as one target sees it", () => {
  const resolved = (target: string, given = {}) =>
    resolveBundle(checkBundle(readBundleFiles(join(folder, "whole"))).documents, target, given);

  it("has the target's variables, and those of the command line before them", () => {
    const tags = (bundle: ReturnType<typeof resolved>) => at(bundle?.config, "resources", "jobs", "train", "tags");
    expect(tags(resolved("dev"))).toEqual({ catalog: "dev" });
    expect(tags(resolved("prod"))).toEqual({ catalog: "prod" });
    expect(tags(resolved("prod", { catalog: "other" }))).toEqual({ catalog: "other" });
    expect(resolved("test")).toBeUndefined();
  });

  it("keeps what only a workspace knows", () => {
    const documents = [
      {
        file: "databricks.yml",
        value: { targets: { dev: {} }, resources: { jobs: { a: { name: `$\{workspace.current_user.userName}` } } } },
        lineOf: () => 1,
      },
    ];
    expect(resolveBundle(documents, "dev", {})?.left).toEqual(["workspace.current_user.userName"]);
  });

  it("merges tasks by their key and joins other lists", () => {
    expect(
      mergeValues([{ task_key: "a", max_retries: 0 }], [{ task_key: "a", max_retries: 3 }, { task_key: "b" }], "tasks"),
    ).toEqual([{ task_key: "a", max_retries: 3 }, { task_key: "b" }]);
    expect(mergeValues(["x"], ["y"], "include")).toEqual(["x", "y"]);
  });
});

it("a folder without a root file has one finding, and is not walked", () => {
  const { findings } = checkBundle(readBundleFiles(tmpdir()));
  expect(findings.map((each) => each.message)).toEqual(["there is no databricks.yml in this folder"]);
});

describe("patterns of include", () => {
  it.each([
    ["resources/*.yml", "resources/a.yml", true],
    ["resources/*.yml", "resources/deep/a.yml", false],
    ["**/*.yml", "a/b.yml", true],
    ["**/*.yml", "a/b/c.yml", false],
    ["./a?.yml", "ab.yml", true],
    ["[a-c].yml", "d.yml", false],
    ["[^a].yml", "b.yml", true],
    ["a+(b).yml", "a+(b).yml", true],
  ])("%s and %s: %s", (pattern, path, fits) => {
    expect(matcher(pattern)?.(path)).toBe(fits);
  });
});
