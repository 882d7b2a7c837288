import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { makeStyle } from "../../../src/cli/style.ts";
import { command } from "../../../src/commands/quickstart.ts";
import { type Story, story } from "../../../src/quickstart/story.ts";
import { factory, type Home, makeHome, type Ran } from "../../support/factory.ts";
import { installedProgram, packAndInstall } from "../../support/package.ts";
import { SAID, said, TYPED, typed } from "../../support/quickstart-story.ts";

const AUTHOR = "author@example.com";
const APPROVER = "approver@example.com";
const TIMEOUT_MS = 600_000;

// The story runs from the tarball as it was installed; what looks at it afterwards is this repository's own program.
describe("quickstart", () => {
  let home: Home;
  let ran: Ran;
  let told: Story;
  let program: string;
  const quickstart = (...args: string[]) =>
    factory(["quickstart", ...args], { cwd: home.folder, variables: home.variables, timeoutMs: TIMEOUT_MS, program });
  const inProject = (person: string, ...args: string[]) =>
    factory(args, {
      cwd: join(home.folder, "demo/claims-triage"),
      variables: { ...home.variables, XDG_CONFIG_HOME: join(home.folder, "demo/home", person, ".config") },
    });

  beforeAll(async () => {
    home = makeHome();
    program = installedProgram(packAndInstall(home.folder).installed);
    ran = await quickstart("demo", "--json");
    expect(ran.status, `${ran.stderr}\n${ran.stdout}`).toBe(0);
    told = z.object({ ok: z.literal(true), data: story }).parse(JSON.parse(ran.stdout)).data;
  }, TIMEOUT_MS);
  afterAll(async () => {
    await factory(["local", "stop", "--dir", "demo"], { cwd: home.folder, variables: home.variables });
    home.remove();
  });

  it("tells the whole story: what has to succeed is done, what has to be refused is refused", () => {
    expect(told.steps.map((each) => [each.name, each.outcome])).toEqual([
      ["Python environment", "done"],
      ["keys and policy", "done"],
      ["MLflow server", "done"],
      ["new claims-triage", "done"],
      ["project's Python", "done"],
      ["train", "done"],
      ["check", "done"],
      ["register", "done"],
      ["promote → test", "done"],
      ["approve", "refused"],
      ["promote → prod", "refused"],
      ["approve", "done"],
      ["promote → prod, release", "done"],
      ["a worse model", "refused"],
      ["a better model, v2", "done"],
      ["rollback", "done"],
      ["verify", "done"],
    ]);
    expect(told.steps.every((each) => each.durationMs > 0)).toBe(true);
  });

  it("is typed and answered as it is in a workspace (sandbox/quickstart)", () => {
    expect(typed(told)).toEqual(TYPED);
    expect(said(told)).toEqual(SAID);
  });

  it("the first model: seven gates, nothing to object", () => {
    expect(told.check.subject).toBe("candidate");
    expect(told.check.gates.map((gate) => [gate.gate, gate.verdict])).toEqual(
      ["lint", "unit", "data", "model", "baseline", "docs", "secrets"].map((gate) => [gate, "pass"]),
    );
    expect(told.check.notRegistrable).toEqual([]);
    expect(told.check.people).toEqual([{ address: AUTHOR, known: true, changes: 2 }]);
  });

  it("the refusals have the reasons that they should have", () => {
    const refused = told.steps.filter((each) => each.outcome === "refused");
    expect(refused.map(({ by, what, commands }) => ({ by, what, command: commands.at(-1) }))).toEqual([
      {
        by: AUTHOR,
        what: `${AUTHOR} changed the code (2 of 2 changes)`,
        command: "factory approve claims.triage/1 --to prod --ticket CHG-1001 --yes",
      },
      {
        by: AUTHOR,
        what: "approvals 0 of 1 of role model-risk",
        command: "factory promote 1 --to prod --ticket CHG-1001",
      },
      {
        by: AUTHOR,
        what: expect.stringMatching(/^AUC 0\.\d+ < 0\.62, and 0\.\d+ below the champion$/),
        command: "factory check --only model,baseline",
      },
    ]);
  });

  it("the worse model is really worse, and got no number", () => {
    const [first, second] = told.versions ?? [];
    expect(told.worse?.auc).toBeLessThan(0.62);
    expect(first?.auc).toBeGreaterThan((told.worse?.auc ?? 1) + 0.01);
    expect(second?.auc).toBeGreaterThan(first?.auc ?? 1);
    expect(new Set([told.worse?.digest, first?.digest, second?.digest]).size).toBe(3);
    expect([first?.number, second?.number]).toEqual(["1", "2"]);
  });

  it("went back by hand, and says how long it took", () => {
    expect(told.rollback).toMatchObject({ from: "2", to: "1" });
    const step = told.steps.find((each) => each.name === "rollback");
    // Detected when it was asked for: the command itself took longer than what it measured.
    expect(told.rollback?.detectedToRestoredMs).toBeGreaterThan(0);
    expect(told.rollback?.detectedToRestoredMs).toBeLessThan((step?.durationMs ?? 0) + 1);
    expect(step?.commands[0]).toMatch(/^factory rollback --env prod --reason "[^"]+" --detected-at \S+$/);
  });

  it("the ledger holds what was done, and none of what was refused", async () => {
    const shown = await inProject("author", "ledger", "show", "--json");
    expect(shown.status, shown.stderr).toBe(0);
    const entry = z.object({ kind: z.string(), by: z.string() });
    const { data } = z.object({ data: z.object({ entries: z.array(entry) }) }).parse(JSON.parse(shown.stdout));
    const version = [
      ["registered", AUTHOR],
      ["promotion.started", AUTHOR],
      ["promoted", AUTHOR],
      ["approved", APPROVER],
      ["promotion.started", AUTHOR],
      ["promoted", AUTHOR],
      ["release.started", AUTHOR],
      ["released", AUTHOR],
    ];
    const expected = [["opened", AUTHOR], ...version, ...version, ["rollback.started", AUTHOR], ["rolledback", AUTHOR]];
    expect(data.entries.map(({ kind, by }) => [kind, by])).toEqual(expected);
    expect(told.verified).toMatchObject({ entries: expected.length, champion: "1" });
    expect(told.verified?.bundles).toBeGreaterThan(0);
  });

  it("leaves nothing running, and nothing in the user's home", async () => {
    expect(readdirSync(join(home.folder, "home"))).toEqual([]);
    await expect(fetch(`${told.mlflow}/health`)).rejects.toThrow();
  });

  it("says in words what the document says", () => {
    const { data } = z.object({ data: z.unknown() }).parse(JSON.parse(ran.stdout));
    const text = command.render(data, makeStyle(false, 100));
    expect(text.match(/^ {2}✔ /gm)?.length).toBe(14);
    expect(text.match(/^ {2}✖ .*refused, as it should be: /gm)?.length).toBe(3);
    expect(text).toContain(`refused, as it should be: ${AUTHOR} changed the code (2 of 2 changes)`);
    expect(text).toMatch(/check +7 of 7 gates pass, \d+ tests, \d+ data checks/);
    expect(text).toContain("cd demo/claims-triage && factory history");
  });

  describe("with its server started again", () => {
    beforeAll(async () => {
      const started = await inProject("author", "local", "start");
      expect(started.status, started.stderr).toBe(0);
    });

    it.each([
      ["dev", ["1", "2"], undefined],
      ["test", ["1", "2"], undefined],
      ["prod", ["1", "2"], "1"],
    ])("MLflow holds in %s the same bytes under each number, and no others", async (environment, numbers, champion) => {
      const name = `${environment}.claims.triage`;
      const versions = z
        .object({
          model_versions: z.array(
            z.object({ version: z.string(), tags: z.array(z.object({ key: z.string(), value: z.string() })) }),
          ),
        })
        .parse(await mlflow("model-versions/search", { filter: `name='${name}'` })).model_versions;
      const digests = versions
        .sort((a, b) => Number(a.version) - Number(b.version))
        .map(({ version, tags }) => [version, tags.find((tag) => tag.key === "factory.digest")?.value]);
      expect(digests).toEqual(numbers.map((number, i) => [number, told.versions?.[i]?.digest]));
      const alias = await mlflow("registered-models/alias", { name, alias: "champion" }).catch(() => undefined);
      const served = z.object({ model_version: z.object({ version: z.string() }) });
      const found = alias === undefined ? undefined : served.parse(alias);
      expect(found?.model_version.version).toBe(champion);
    });

    it("verifies for the approver too, who ran none of it", async () => {
      const verified = await inProject("approver", "verify", "--json");
      expect(verified.status, verified.stderr).toBe(0);
    });

    it("an approval by the author is refused for the second version too", async () => {
      const refused = await inProject("author", "approve", "2", "--to", "prod", "--ticket", "CHG-1002", "--yes");
      expect(refused.status).toBe(3);
      expect(refused.stdout).toContain(`${AUTHOR} changed the code (1 of 1 changes)`);
    });

    async function mlflow(path: string, query: Record<string, string>): Promise<unknown> {
      const reply = await fetch(`${told.mlflow}/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`);
      if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
      return reply.json();
    }
  });

  it("refuses a folder of somebody else's and leaves it as it was", async () => {
    const folder = join(home.folder, "mine");
    await factory(["init", "mine", "--yes"], { cwd: home.folder, variables: home.variables });
    writeFileSync(join(folder, "thesis.txt"), "years of work");
    const refused = await quickstart("mine");
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("was not made by quickstart");
    expect(existsSync(join(folder, "thesis.txt"))).toBe(true);
  });

  it("replaces its own folder, with what still runs there; interrupted, it leaves nothing running", async () => {
    const folder = join(home.folder, "demo");
    const leftOver = join(folder, "left-over.txt");
    writeFileSync(leftOver, "old");
    const policy = join(folder, "policy.yaml");
    let uri = "";
    const again = await factory(["quickstart", "demo"], {
      cwd: home.folder,
      variables: home.variables,
      timeoutMs: TIMEOUT_MS,
      started: (child) => {
        const timer = setInterval(async () => {
          if (existsSync(leftOver) || !existsSync(policy)) return;
          uri = /http:\/\/127\.0\.0\.1:\d+/.exec(readFileSync(policy, "utf8"))?.[0] ?? "";
          const healthy = await fetch(`${uri}/health`).then(
            (reply) => reply.ok,
            () => false,
          );
          if (!healthy) return;
          clearInterval(timer);
          child.kill("SIGINT");
        }, 100);
      },
    });
    expect(again.status, again.stderr).toBe(130);
    expect(existsSync(leftOver)).toBe(false);
    await expect(fetch(`${uri}/health`)).rejects.toThrow();
  });
});
