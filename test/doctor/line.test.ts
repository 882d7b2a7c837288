import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { judgeChain, judgePolicy } from "../../src/doctor/look-at-line.ts";
import { known, unknown } from "../../src/rules/facts.ts";
import { chain, promoted } from "../audit/chain.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";

const { view, state } = chain(promoted(1, 2, 1));
const { policy: inForce } = view;
if (inForce === undefined) throw new Error("no policy");
const ledger = { place: "L", local: true, view: async () => view, append: async () => undefined };

describe("verdicts", () => {
  test("on a ledger", () => {
    const here = { view, ledger, state, policy: known({ inForce, problem: undefined, fix: undefined }) };
    expect(judgeChain(here)).toEqual({ verdict: "ok", found: "4 entries, chain whole  (L)" });
    const broken = { ...view, problems: [{ seq: 2, message: "entry 2 is not signed by its key" }] };
    expect(judgeChain({ ...here, view: broken })).toMatchObject({ verdict: "missing", fix: "factory ledger verify" });
    const misfit = { ...state, problems: [{ seq: 3, hash: "0".repeat(64), message: "ends what was never started" }] };
    expect(judgeChain({ ...here, state: misfit })).toMatchObject({
      verdict: "missing",
      found: "L: entry 3 ends what was never started",
    });
  });

  test("on the policy that counts", () => {
    const of = (problem: string | undefined) => known({ inForce, problem, fix: "sign it" });
    expect(judgePolicy({ view, policy: of(undefined) })).toMatchObject({
      verdict: "ok",
      found: "version 1 is in force",
    });
    expect(judgePolicy({ view, policy: of("it was edited") })).toMatchObject({ verdict: "warn", fix: "sign it" });
    expect(judgePolicy({ view: { ...view, policy: undefined }, policy: of(undefined) }).found).toContain("is signed");
    expect(judgePolicy({ view, policy: unknown("no policy") })).toMatchObject({ verdict: "warn", found: "no policy" });
  });
});

describe("through the program", () => {
  let home: Home;
  let project: string;
  const run = (...args: string[]) => factory(args, { cwd: project, variables: home.variables });
  const checks = async () =>
    z
      .object({
        data: z.object({ checks: z.array(z.object({ id: z.string(), verdict: z.string(), found: z.string() })) }),
      })
      .parse(JSON.parse((await run("doctor", "--json")).stdout)).data.checks;
  const verdict = async (id: string) => (await checks()).find((each) => each.id === id)?.verdict;

  beforeEach(async () => {
    home = makeHome();
    for (const args of [
      ["init", "--yes"],
      ["new", "claims-triage", "--yes", "--no-git"],
    ])
      expect((await factory(args, { cwd: home.folder, variables: home.variables })).status).toBe(0);
    project = join(home.folder, "claims-triage");
  });
  afterEach(() => home.remove());

  test("ledger, policy in force and tickets have a line each", { timeout: 60_000 }, async () => {
    expect(await verdict("ledger")).toBe("ok");
    expect(await verdict("policy.inForce")).toBe("warn");
    expect(await verdict("tickets")).toBe("warn");
    writeFileSync(join(home.folder, "tickets.yaml"), "factory: 1\ntickets: {}\n");
    expect(await verdict("tickets")).toBe("ok");
    writeFileSync(join(home.folder, "tickets.yaml"), "factory: 1\nticket: {}\n");
    expect(await verdict("tickets")).toBe("missing");
    const policy = join(home.folder, "policy.yaml");
    const away = "ledger: { kind: git, url: 'file:///nowhere/ledger.git', branch: ledger }";
    writeFileSync(policy, readFileSync(policy, "utf8").replace(/^ledger:.*$/m, away));
    expect(await verdict("ledger")).toBe("missing");
  });

  test("a misspelt project is no pilot, a policy that is elsewhere is said", { timeout: 60_000 }, async () => {
    const policy = join(home.folder, "policy.yaml");
    const text = readFileSync(policy, "utf8");
    const bare = join(home.folder, "ledger.git");
    writeFileSync(policy, text.replace(/^ledger:.*$/m, `ledger: { kind: git, url: 'file://${bare}', branch: ledger }`));
    spawnSync("git", ["init", "--quiet", "--bare", bare]);
    const misspelt = await run("status", "--project", "claims-trage");
    expect(misspelt.status).toBe(2);
    expect(misspelt.stderr).toContain("no project claims-trage");
    expect(misspelt.stderr).toContain("did you mean claims-triage?");
    const file = join(project, "factory.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("policy.yaml", "polcy.yaml"));
    for (const command of [["status"], ["check", "--only", "docs"]]) {
      const elsewhere = await run(...command);
      expect(elsewhere.status).toBe(2);
      expect(elsewhere.stderr).toContain("polcy.yaml, which is not there; there is one at");
    }
  });
});
