import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runProcess } from "../../src/lib/run-process.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { judges } from "../support/uv.ts";

/** Official packages that judge what a project holds; exact pins, since a check that changes by itself proves nothing. */
const JUDGES = ["databricks-bundles==1.22.1", "pyyaml==6.0.3", "yamllint==1.38.0", "check-jsonschema==0.39.0"];

/** Every resource through its official class; prints one line a problem. */
const BUNDLE_CHECK = `
import sys, glob, yaml
from databricks.bundles.experiments import MlflowExperiment
from databricks.bundles.jobs import Job
kinds = {"jobs": Job, "experiments": MlflowExperiment}
seen = []
for path in sorted(glob.glob("resources/*.yml")):
    for kind, items in yaml.safe_load(open(path))["resources"].items():
        for name, body in items.items():
            kinds[kind].from_dict(body)
            seen.append(f"{kind}.{name}")
assert [s for s in seen if s.startswith("jobs.")], seen
print(" ".join(seen))
`;

describe("a generated project, judged from outside", () => {
  let home: Home;
  let project: string;
  let bin: string;
  const signal = new AbortController().signal;
  const run = (argv: string[], env: Record<string, string> = home.variables) =>
    runProcess({ argv, cwd: project, env, timeoutMs: 280_000, signal });

  beforeAll(async () => {
    home = makeHome();
    const made = await factory(["new", "claims-triage", "--yes"], { cwd: home.folder, variables: home.variables });
    expect(made.status, made.stderr).toBe(0);
    project = join(home.folder, "claims-triage");
    // The same under a policy with workspaces, whose workflows differ.
    const governed = { cwd: join(home.folder, "governed"), variables: home.variables };
    const init = [
      "init",
      "governed",
      "--databricks",
      "--ledger-url",
      "git@git.example.com:risk/governance.git",
      "--yes",
    ];
    const policy = await factory(init, { cwd: home.folder, variables: home.variables });
    expect(policy.status, policy.stderr).toBe(0);
    const beside = await factory(["new", "claims-triage", "--yes"], governed);
    expect(beside.status, beside.stderr).toBe(0);
    bin = await judges("judges", JUDGES, home.variables);
  });
  afterAll(() => home.remove());

  it("its bundle passes the official package", async () => {
    const result = await run([join(bin, "python"), "-c", BUNDLE_CHECK]);
    expect(result.status, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/jobs\.\S+ .*jobs\.\S+/);
  });

  it("the official package refuses a misspelt field, so the judge can fail", async () => {
    const path = join(project, "resources/training.job.yml");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(/^(\s+)tasks:/m, "$1taskz:"));
    try {
      expect((await run([join(bin, "python"), "-c", BUNDLE_CHECK])).status).not.toBe(0);
    } finally {
      writeFileSync(path, text);
    }
  });

  it("its workflows fit the published schema", async () => {
    const result = await run([
      join(bin, "check-jsonschema"),
      "--builtin-schema",
      "vendor.github-workflows",
      ".github/workflows/factory.yml",
      ".github/workflows/ship.yml",
      "../governed/claims-triage/.github/workflows/factory.yml",
      "../governed/claims-triage/.github/workflows/ship.yml",
    ]);
    expect(result.status, result.stdout + result.stderr).toBe(0);
  });

  it("its YAML has no doubled key and no broken indentation", async () => {
    const result = await run([
      join(bin, "yamllint"),
      "-d",
      "{extends: relaxed, rules: {line-length: disable}}",
      ".",
      "../governed",
    ]);
    expect(result.status, result.stdout).toBe(0);
  });
});
