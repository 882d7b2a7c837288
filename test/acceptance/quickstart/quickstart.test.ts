import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { checkReport } from "../../../src/check/report.ts";
import { factory, type Home, makeHome, type Ran } from "../../support/factory.ts";

const document = z.object({
  ok: z.boolean(),
  data: z.object({
    steps: z.array(z.object({ name: z.string(), what: z.string(), durationMs: z.number() })),
    check: checkReport,
    mlflow: z.string(),
  }),
});

describe("quickstart", () => {
  let home: Home;
  let first: Ran;
  beforeAll(async () => {
    home = makeHome();
    first = await factory(["quickstart", "demo", "--json"], { cwd: home.folder, variables: home.variables });
  });
  afterAll(() => home.remove());

  it("ends well: seven gates over a real model, evidence sealed, nothing to object", () => {
    expect(first.status, first.stderr).toBe(0);
    const { ok, data } = document.parse(JSON.parse(first.stdout));
    expect(ok).toBe(true);
    expect(data.check.subject).toBe("candidate");
    expect(data.check.gates.map((gate) => [gate.gate, gate.verdict])).toEqual(
      ["lint", "unit", "data", "model", "baseline", "docs", "secrets"].map((gate) => [gate, "pass"]),
    );
    expect(data.check.notRegistrable).toEqual([]);
    expect(data.check.people).toEqual([{ address: "author@example.com", known: true, changes: 2 }]);
    expect(data.steps.every((step) => step.durationMs > 0)).toBe(true);
  });

  it("keeps to its own folder, and leaves nothing running", async () => {
    expect(readdirSync(join(home.folder, "home"))).toEqual([]);
    const { data } = document.parse(JSON.parse(first.stdout));
    await expect(fetch(`${data.mlflow}/health`)).rejects.toThrow();
  });

  it("the evidence that it sealed verifies", async () => {
    const shown = await factory(["evidence", "show"], {
      cwd: join(home.folder, "demo/claims-triage"),
      variables: home.variables,
    });
    expect(shown.status, shown.stderr).toBe(0);
    expect(shown.stdout).toContain("every digest verified");
  });

  it("refuses a folder of somebody else's and leaves it as it was", async () => {
    const folder = join(home.folder, "mine");
    await factory(["init", "mine", "--yes"], { cwd: home.folder, variables: home.variables });
    writeFileSync(join(folder, "thesis.txt"), "years of work");
    const refused = await factory(["quickstart", "mine"], { cwd: home.folder, variables: home.variables });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("was not made by quickstart");
    expect(existsSync(join(folder, "thesis.txt"))).toBe(true);
  });

  it("replaces its own folder, in words for a person", async () => {
    writeFileSync(join(home.folder, "demo/left-over.txt"), "old");
    const again = await factory(["quickstart", "demo"], { cwd: home.folder, variables: home.variables });
    expect(again.status, again.stderr).toBe(0);
    expect(again.stdout).toMatch(/7 of 7 gates pass, \d+ tests, \d+ data checks/);
    expect(existsSync(join(home.folder, "demo/left-over.txt"))).toBe(false);
  });
});
