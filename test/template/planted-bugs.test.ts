import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { type JUnitReport, parseJUnit } from "../../src/gates/junit.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import { projectEnvironment } from "../../src/training/project-environment.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { covering, DEEP } from "../support/sample.ts";
import { testUv } from "../support/uv.ts";

/** Bugs that a tired person could write, each caught by the generated project's own untouched tests: which one, is said. */
const bugs = z
  .array(
    z.strictObject({
      name: z.string(),
      file: z.string(),
      find: z.string(),
      replace: z.string(),
      caughtBy: z.strictObject({ file: z.string(), test: z.string() }),
    }),
  )
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "planted-bugs.json"), "utf8")));

describe("the batch-scoring template", () => {
  let home: Home;
  let project: string;
  let variables: Record<string, string>;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    home = makeHome();
    const made = await factory(["new", "claims-triage", "--yes"], { cwd: home.folder, variables: home.variables });
    expect(made.status, made.stderr).toBe(0);
    project = join(home.folder, "claims-triage");
    const uv = () => testUv(home.variables);
    ({ variables } = await projectEnvironment(project, uv, home.variables, () => {}, signal));
  });
  afterAll(() => home.remove());

  /** Exit status and report of the project's own tests in these places. */
  async function runTests(...places: string[]): Promise<{ status: number | undefined; report: JUnitReport }> {
    const path = join(home.folder, "junit.xml");
    rmSync(path, { force: true });
    const argv = ["uv", "run", "pytest", `--junitxml=${path}`, ...places];
    const { status } = await runProcess({ argv, cwd: project, env: variables, timeoutMs: 110_000, signal });
    return { status, report: parseJUnit(readFileSync(path, "utf8")) };
  }

  // In CI `check/candidate` and the quickstart say so of the same template.
  it.runIf(DEEP)("passes its own tests untouched", async () => {
    const { status, report } = await runTests("tests/unit", "tests/model");
    expect(report.failures).toEqual([]);
    expect(status).toBe(0);
    expect(report.cases).toBeGreaterThanOrEqual(60);
  });

  it("has ten planted bugs", () => expect(new Set(bugs.map(({ name }) => name)).size).toBe(10));

  it.each(covering(bugs, 6, ({ name }) => name))("catches: $name", async ({ file, find, replace, caughtBy }) => {
    const path = join(project, file.replaceAll("{{package}}", "claims_triage"));
    const text = readFileSync(path, "utf8");
    expect(text.split(find), "the place is there exactly once").toHaveLength(2);
    writeFileSync(
      path,
      text.replace(find, () => replace),
    );
    try {
      // One file of tests is enough to be caught: all of them take longer than everything else here.
      const { status, report } = await runTests(caughtBy.file);
      expect(status).toBe(1);
      expect(report.failures.map(({ name }) => name).join("\n")).toContain(caughtBy.test);
      expect(report.passed.length, "the tests ran: the bug did not merely break an import").toBeGreaterThan(0);
    } finally {
      writeFileSync(path, text);
    }
  });
});
