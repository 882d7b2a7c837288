import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import type { SmallLine } from "../support/small-line.ts";
import { makePipeline, type Pipeline } from "./pipeline.ts";
import type { Contexts } from "./workflow.ts";

describe("the workflows of a generated project", () => {
  let server: MlflowServer;
  let line: SmallLine;
  let contexts: Contexts;
  let handOver: Pipeline["handOver"];
  let sign: Pipeline["sign"];
  let ship: Pipeline["ship"];
  let governance: Pipeline["governance"];
  let newArtifacts: Pipeline["artifacts"];

  beforeAll(async () => {
    server = await startMlflowServer();
    ({ line, contexts, handOver, sign, ship, governance, artifacts: newArtifacts } = await makePipeline(server));
  });
  afterAll(async () => {
    line?.remove();
    await server?.stop();
  });

  const approve = (number: string, ticket: string) => line.approve(number, "prod", "approver", "--ticket", ticket);

  const served = async (): Promise<unknown> => (await line.run("author", ["status"])).data;

  const head = (): string => governance("rev-parse", "ledger");

  it("take one version from a green check to production, and back", async () => {
    const first = await handOver();
    const signed = await sign(first.artifacts);
    expect(signed.status, signed.output).toBe(0);
    expect(signed.environment).toBe("register");
    expect(signed.output).toContain("npm install --global --ignore-scripts pilot-to-production@1.2.3");
    expect(signed.output).toMatch(/dev\.claims\.\w+ v1 ← run .* signed \(\d+ files\), ledger entry 2/);

    const toTest = await ship({ action: "promote", environment: "test", version: "1" });
    expect(toTest.status, toTest.output).toBe(0);
    expect(toTest.environment).toBe("test");
    expect(toTest.output).toMatch(/test\.claims\.\w+ v1 = dev v1/);

    const early = await ship({ action: "promote", environment: "prod", version: "1", ticket: "CHG-1" });
    expect(early.status, early.output).toBe(3);
    expect(early.failed).toBe("Promote");
    expect(early.output).toContain("Nothing was written");

    expect((await approve("1", "CHG-1")).status).toBe(0);
    const toProd = await ship({ action: "promote", environment: "prod", version: "1", ticket: "CHG-1" });
    expect(toProd.status, toProd.output).toBe(0);
    const released = await ship({ action: "release", environment: "prod", version: "1" }, { skip: () => false });
    expect(released.status, released.output).toBe(0);
    expect(released.output).toMatch(/champion → v1 .*/);
    expect(released.summary).toMatch(/^```\n[\s\S]*prod[\s\S]*\n```\n$/);

    const second = await handOver({ version: "1", digest: first.digest });
    for (const done of [
      await sign(second.artifacts),
      await ship({ action: "promote", environment: "test", version: "2" }),
    ])
      expect(done.status, done.output).toBe(0);
    expect((await approve("2", "CHG-2")).status).toBe(0);
    for (const inputs of [
      { action: "promote", environment: "prod", version: "2", ticket: "CHG-2" },
      { action: "release", environment: "prod", version: "2" },
    ]) {
      const done = await ship(inputs);
      expect(done.status, done.output).toBe(0);
    }

    // What the runbook calls the last resort, and how it is mended: by the rollback that follows.
    const { registry } = openMlflow(server.uri, { variables: {} });
    await registry.setAlias(`prod.${line.model}`, "champion", "1");
    const seen = await line.run("author", ["verify"]);
    expect(seen.status).toBe(3);
    expect(seen.ran.stdout).toContain("alias champion of prod is v1 in the registry, but v2 in the ledger");

    const back = await ship({
      action: "rollback",
      environment: "prod",
      reason: "escalations doubled; $(touch /tmp/never) `id` \"quoted\" 'too'",
      incident: "INC-77",
      detected_at: "2026-01-05 09:12",
    });
    expect(back.status, back.output).toBe(0);
    expect(back.environment).toBe("prod-rollback");
    expect(back.output).toMatch(/champion v2 → v1 .*every byte read before/);
    expect(JSON.stringify(await served())).toContain(first.digest);
    expect((await line.run("author", ["verify"])).status).toBe(0);
    const chain = governance("show", "ledger:claims-triage.jsonl");
    expect(chain).toContain("$(touch /tmp/never) `id`");
    expect(existsSync("/tmp/never")).toBe(false);
  }, 280_000);

  it("keep a rollback that cannot reach the ledger, and record it with a later run", async () => {
    const artifacts = newArtifacts();
    const vars = { ...contexts.vars, LEDGER_KNOWN_HOSTS: "another.example.com ssh-ed25519 AAAA" };
    const inputs = { action: "rollback", environment: "prod", reason: "still wrong" };
    const away = (more: object) => {
      const said = { ...inputs, ...more };
      return ship(said, { artifacts, contexts: { ...contexts, vars, inputs: said }, skip: () => false });
    };
    // What serves since the rollback before is kept, unless somebody goes further on purpose.
    const kept = await away({});
    expect(kept.status, kept.output).toBe(3);
    expect(kept.output).toContain("serves since the rollback");
    const back = await away({ further: "true" });
    expect(back.status, back.output).toBe(0);
    expect(back.output).toContain("NOT IN THE LEDGER");
    expect(back.summary).toContain("could not be told");
    expect((await line.run("author", ["verify"])).status).toBe(3);

    const again = { action: "promote", environment: "test", version: "2", pending_run: "4711" };
    const recorded = await ship(again, { artifacts });
    // Refused, since v2 was compared with a champion that is gone; the record is written before anything is decided.
    expect(recorded.status, recorded.output).toBe(3);
    expect(recorded.ran).toContain("Take over what an earlier run could not record");
    const history = await line.run("author", ["history", "--env", "prod"]);
    expect(JSON.stringify(history.data), recorded.output).toContain("still wrong");
    expect((await line.run("author", ["verify"])).status).toBe(0);
  });

  it("ask no tickets but those of the policy's own repository, though the project brings a copy with others", async () => {
    const before = head();
    const inputs = { action: "promote", environment: "prod", version: "2", ticket: "CHG-3" };
    const redirect = (_: unknown, workspace: string) => {
      const project = join(workspace, "project");
      if (!existsSync(join(project, "factory.yaml")) || existsSync(join(project, "governance"))) return;
      for (const name of ["policy.yaml", "policy.sigs.jsonl"])
        cpSync(join(workspace, name), join(project, "governance", name));
      const tickets = { "CHG-3": { state: "approved", project: line.project } };
      writeFileSync(join(project, "governance", "tickets.yaml"), JSON.stringify({ factory: 1, tickets }));
      const text = readFileSync(join(project, "factory.yaml"), "utf8");
      writeFileSync(join(project, "factory.yaml"), text.replace("../policy.yaml", "governance/policy.yaml"));
    };
    const done = await ship(inputs, { before: redirect });
    expect(done.status, done.output).toBe(3);
    expect(done.output).toContain("there is no ticket CHG-3");
    expect(head()).toBe(before);
  });

  it("go no further with a secret that is missing or wrong", async () => {
    const { artifacts } = await handOver();
    const before = head();
    const without = (secrets: Record<string, string>) =>
      sign(artifacts, { contexts: { ...contexts, secrets: { ...contexts.secrets, ...secrets } } });
    const noKey = await without({ FACTORY_SIGNING_KEY: "" });
    expect([noKey.status, noKey.failed], noKey.output).toEqual([2, "Sign and register"]);
    const noDeployKey = await without({ LEDGER_DEPLOY_KEY: "" });
    expect([noDeployKey.status, noDeployKey.failed]).toEqual([1, "Let git reach the ledger"]);
    expect(noDeployKey.output).toContain("LEDGER_DEPLOY_KEY: this environment has no such secret");
    const wrong = await without({ LEDGER_DEPLOY_KEY: "another key" });
    expect([wrong.status, wrong.failed], wrong.output).toEqual([4, "Sign and register"]);
    for (const { output } of [noKey, noDeployKey, wrong]) expect(output).not.toContain("PRIVATE KEY");
    expect(head()).toBe(before);
  });

  it("sign what was checked, at a commit of main, and nothing else", async () => {
    const { artifacts } = await handOver();
    const evidence = join(artifacts, "evidence", ".factory", "evidence");
    const [digest = ""] = readdirSync(evidence);
    cpSync(join(evidence, digest), join(evidence, "0".repeat(64)), { recursive: true });
    const two = await sign(artifacts);
    expect([two.status, two.failed]).toEqual([1, "Sign and register"]);
    expect(two.output).toContain("expected exactly one folder of evidence");

    const other = await handOver();
    const commit = line.commit();
    line.git("checkout", "--quiet", "-b", "side");
    line.git("commit", "--quiet", "--allow-empty", "--message", "Never reviewed");
    const side = line.commit();
    line.git("checkout", "--quiet", "main");
    writeFileSync(join(line.folder, "later.txt"), "later");
    line.git("add", ".");
    line.git("commit", "--quiet", "--message", "Later");
    const late = await sign(other.artifacts);
    expect(late.status, late.output).toBe(3);
    expect(late.output).toMatch(/is checked out, the evidence is about .*: check again/);
    // Started by hand, with the run and its commit, it goes on: what was trained before is compared with what serves by now.
    const byHand = (commit: string) =>
      sign(other.artifacts, {
        contexts: {
          ...contexts,
          github: { ...contexts.github, event_name: "workflow_dispatch" },
          inputs: { run: other.run, commit },
        },
      });
    for (const each of [side, commit.slice(0, 12)]) {
      const refused = await byHand(each);
      expect([refused.status, refused.failed], refused.output).toEqual([1, "A commit of main, and no other"]);
    }
    const again = await byHand(commit);
    expect(again.status, again.output).toBe(0);

    const third = await handOver();
    const touched = await sign(third.artifacts, {
      before: (step, workspace) => {
        if (step.name === "Sign and register") writeFileSync(join(workspace, "project", "conftest.py"), "");
      },
    });
    expect(touched.status, touched.output).toBe(3);
    expect(touched.output).toContain("the working tree differs from its commit");
  });

  it.each([
    { action: "promote", environment: "test", version: "--abandon" },
    { action: "promote", environment: "test", version: "" },
    { action: "promote", environment: "test", version: "1 --to=prod" },
    { action: "promote", environment: "test; touch pwned", version: "1" },
    { action: "promote", environment: "--dry-run", version: "1" },
    { action: "promote", environment: "prod", version: "1", ticket: "--abandon" },
    { action: "release", environment: "prod", version: "$(touch pwned)" },
    { action: "release", environment: "prod", version: "'; touch pwned; '" },
    { action: "rollback", environment: "prod", reason: "" },
    { action: "rollback", environment: "prod", reason: "--yes" },
    { action: "rollback", environment: "prod", reason: "two\nlines" },
    { action: "rollback", environment: "prod", reason: "in time", detected_at: "`touch pwned`" },
  ])("take an input for a value only: %j", async (inputs) => {
    const before = head();
    let made: string[] = [];
    const done = await ship(inputs, {
      before: (_, workspace) => {
        const project = join(workspace, "project");
        if (existsSync(project)) made = readdirSync(project);
      },
    });
    expect(done.status, done.output).toBe(2);
    expect(made).not.toContain("pwned");
    expect(head()).toBe(before);
  });
});
