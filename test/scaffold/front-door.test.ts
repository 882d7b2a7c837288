import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { factory, type Home, makeHome } from "../support/factory.ts";

let home: Home;
beforeEach(() => {
  home = makeHome();
});
afterEach(() => home.remove());
const run = (...args: string[]) =>
  factory(args, { cwd: join(home.folder, "home"), variables: home.variables, timeoutMs: 30_000 });
const document = (text: string) =>
  z
    .object({
      ok: z.boolean(),
      data: z.record(z.string(), z.unknown()).optional(),
      error: z.record(z.string(), z.unknown()).optional(),
    })
    .parse(JSON.parse(text));

test("init, templates, new: from nothing to a project under a policy", async () => {
  expect(await run("init", "--organisation", "Example", "--yes")).toMatchObject({ status: 0 });
  const listed = await run("templates", "--json");
  expect(document(listed.stdout).data?.templates).toMatchObject([{ name: "batch-scoring" }]);
  const made = await run(
    "new",
    "claims-triage",
    "--template",
    "batch-scoring",
    "--set",
    "risk_tier=low",
    "ci=github",
    "--yes",
    "--json",
  );
  expect(made).toMatchObject({ status: 0 });
  expect(document(made.stdout)).toMatchObject({
    ok: true,
    data: { project: "claims-triage", pilot: true, git: { state: "committed" }, answers: { risk_tier: "low" } },
  });
  const project = join(home.folder, "home/claims-triage");
  expect(readFileSync(join(project, "factory.yaml"), "utf8")).toContain("name: claims.triage");
  expect(existsSync(join(project, "src/claims_triage/train.py"))).toBe(true);
  expect(readFileSync(join(project, ".factory/schemas/factory.schema.json"), "utf8")).toContain('"$schema"');
  const again = await run("new", "claims-triage", "--yes");
  expect(again.status).toBe(2);
  expect(again.stderr).toContain("not empty");
});

test("without a terminal and without answers, new is exit 2 and names the flags; --no-git and --dry-run are heard", async () => {
  const missing = await run("new", "claims-triage");
  expect(missing.status).toBe(2);
  expect(missing.stdout).toBe("");
  expect(missing.stderr).toContain("--set risk_tier=low|medium|high");
  const dry = await run("new", "claims-triage", "--yes", "--dry-run");
  expect(dry.stdout).toContain("Would write");
  expect(readdirSync(join(home.folder, "home"))).toEqual([]);
  expect(await run("new", "claims-triage", "--yes", "--no-git")).toMatchObject({ status: 0 });
  expect(existsSync(join(home.folder, "home/claims-triage/.git"))).toBe(false);
});

test("the way on from init in another folder makes a project under that policy", async () => {
  const made = await run("init", "our org", "--organisation", "Example", "--yes");
  expect(made.stdout).toContain("factory new NAME --dir 'our org'");
  const planned = await run("new", "claims-triage", "--dir", "our org", "--yes", "--dry-run");
  expect(planned.stdout).toContain("policy.yaml does not list it");
});

test.each(["init", "new", "templates"])("factory %s --help has an example", async (name) => {
  const help = await run(name, "--help");
  expect(help.status).toBe(0);
  expect(help.stdout).toContain(`$ factory ${name}`);
});
