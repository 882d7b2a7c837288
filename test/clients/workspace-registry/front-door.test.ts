import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { acls } from "../../fakes/workspace/acl.ts";
import { legacy } from "../../fakes/workspace/legacy/store.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { serving } from "../../fakes/workspace/serving/state.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type SmallLine } from "../../support/small-line.ts";

const ENVIRONMENTS = ["test", "prod"] as const;
type Name = (typeof ENVIRONMENTS)[number];

let server: MlflowServer;
let workspaces: Record<Name, FakeWorkspace>;
let line: SmallLine;
let repository: string;

beforeAll(async () => {
  const start = (name: Name) =>
    startWorkspace({ principals: [{ name: `factory-${name}` }, { name: "reader@example.com" }] });
  const [mlflow, test, prod] = await Promise.all([startMlflowServer(), start("test"), start("prod")]);
  server = mlflow;
  workspaces = { test, prod };
  repository = mkdtempSync(join(tmpdir(), "factory-stages-ledger-"));
  execFileSync("git", ["init", "--quiet", "--bare", repository]);
  line = makeLine(server, {
    signed: true,
    ledger: { kind: "git", url: `file://${repository}`, branch: "ledger" },
    policy(policy) {
      for (const environment of policy.environments)
        if (environment.name !== "dev") environment.registry = { kind: "workspace", profile: environment.name };
    },
    project(project) {
      project.release = { endpoint: "claims-triage" };
    },
  });
  for (const [name, { home }] of Object.entries(line.people)) {
    const profiles = ENVIRONMENTS.map((each) => {
      const { token } = workspaces[each].identity(name === "ci" ? `factory-${each}` : "reader@example.com");
      return `[${each}]\nhost = ${workspaces[each].url}\ntoken = ${token}\n`;
    });
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, ".databrickscfg"), profiles.join("\n"), { mode: 0o600 });
  }
  line.tickets({
    "CHG-1": { state: "approved", project: "claims-triage" },
    "CHG-2": { state: "approved", project: "claims-triage" },
  });
}, 300_000);
afterAll(async () => {
  line?.remove();
  rmSync(repository, { recursive: true, force: true });
  await Promise.all([workspaces?.test.stop(), workspaces?.prod.stop(), server?.stop()]);
});

async function say(what: string, answer: Promise<LineAnswer>): Promise<LineAnswer> {
  const said = await answer;
  expect(said.status, `${what}: ${said.against.join("; ")}${said.ran.stderr}`).toBe(0);
  return said;
}

const inWorkspace = (name: Name) => `${name}-${line.model.replaceAll(".", "-")}`;
const registered = (name: Name) => legacy.of(workspaces[name].state).models.get(inWorkspace(name));
const stages = (name: Name) =>
  [...(registered(name)?.versions.values() ?? [])].map((each) => `v${each.version} ${each.current_stage}`);
const traffic = (name: Name) => {
  const active = serving.of(workspaces[name].state).endpoints.get("claims-triage")?.active;
  return active?.routes.flatMap(({ served_entity_name: of, traffic_percentage: share }) => {
    const entity = active.served_entities.find((each) => each.name === of);
    return share === 0 ? [] : [`${entity?.entity_name} v${entity?.entity_version} ${share}`];
  });
};

/** As the owner of a registered model lets others see it: what is new shows itself to its maker alone. */
function letRead(name: Name): void {
  const direct = acls.of(workspaces[name].state).objects.get(`registered-models/${registered(name)?.id}`)?.direct;
  const entry = { kind: "user_name", name: "reader@example.com", level: "CAN_READ" } as const;
  if (direct?.some((each) => each.name === entry.name) === false) direct.push(entry);
  const endpoint = serving.of(workspaces[name].state).endpoints.get("claims-triage")?.id;
  const seen = acls.of(workspaces[name].state).objects.get(`serving-endpoints/${endpoint}`)?.direct;
  if (seen?.some((each) => each.name === entry.name) === false) seen.push({ ...entry, level: "CAN_VIEW" });
}

/** Takes one version from training to the champion of both environments. */
async function release(number: string, ticket: string, champion: string | undefined): Promise<string> {
  const trained = await line.train(`weights ${number}`);
  const facts =
    champion === undefined
      ? {}
      : { facts: { champion: { environment: "prod", version: "1", digest: champion, commit: line.commit() } } };
  await line.check(trained, facts);
  await say(`register ${number}`, line.register());
  await say(`promote ${number} to test`, line.promote(number, "test"));
  letRead("test");
  await say(`release ${number} in test`, line.release(number, "test"));
  await say(`approve ${number}`, line.approve(number, "prod", "approver", "--ticket", ticket));
  await say(`plan ${number} to prod`, line.promote(number, "prod", "--ticket", ticket, "--dry-run"));
  await say(`promote ${number} to prod`, line.promote(number, "prod", "--ticket", ticket));
  letRead("prod");
  await say(`release ${number} in prod`, line.release(number, "prod"));
  return trained.digest;
}

test("the whole line in workspaces' own registries, with an endpoint in each", { timeout: 600_000 }, async () => {
  const first = await release("1", "CHG-1", undefined);
  for (const name of ENVIRONMENTS) {
    expect(stages(name)).toEqual(["v1 Production"]);
    expect(traffic(name)).toEqual([`${inWorkspace(name)} v1 100`]);
  }
  await release("2", "CHG-2", first);
  for (const name of ENVIRONMENTS) {
    expect(stages(name)).toEqual(["v1 Archived", "v2 Production"]);
    expect(traffic(name)).toEqual([`${inWorkspace(name)} v2 100`]);
  }
  await say("rollback plan", line.rollback("prod", "--dry-run"));
  expect(stages("prod")).toEqual(["v1 Archived", "v2 Production"]);
  await say("rollback", line.rollback("prod"));
  expect(stages("prod")).toEqual(["v1 Production", "v2 Archived"]);
  expect(traffic("prod")).toEqual([`${inWorkspace("prod")} v1 100`]);
  expect(stages("test")).toEqual(["v1 Archived", "v2 Production"]);

  // Who read the workspace's own log of prod sees every move as a request that was approved, with digests that lead to the evidence.
  const { activities, requests } = legacy.of(workspaces.prod.state);
  expect(requests).toEqual([]);
  const moves = activities.filter((each) => each.activity_type === "APPROVED_REQUEST");
  expect(moves.map((each) => `v${each.version} ${each.from_stage} → ${each.to_stage}`)).toEqual([
    "v1 None → Staging",
    "v1 Staging → Production",
    "v2 None → Staging",
    "v2 Staging → Production",
    "v1 Archived → Production",
  ]);
  const asked = activities.filter((each) => each.activity_type === "REQUESTED_TRANSITION");
  expect(asked.map((each) => each.comment)).toEqual(moves.map((each) => each.comment));
  expect(activities.filter((each) => each.activity_type === "APPLIED_TRANSITION")).toEqual([]);
  for (const { version, comment } of moves) {
    const { tags } = registered("prod")?.versions.get(version) ?? {};
    expect(comment).toContain(`model sha256:${tags?.get("factory.digest")}`);
    expect(comment).toContain(`evidence sha256:${tags?.get("factory.evidence")}`);
    const shown = await say(
      "evidence show",
      line.run("approver", ["evidence", "show", tags?.get("factory.evidence") ?? ""]),
    );
    expect(shown.data).toBeDefined();
  }

  for (const name of ENVIRONMENTS) letRead(name);
  const status = await say("status", line.run("approver", ["status"]));
  const where = z.object({
    environments: z.array(
      z.object({
        environment: z.string(),
        champion: z.object({ version: z.string(), rollback: z.string() }).nullable(),
        challenger: z.unknown(),
        differences: z.array(z.string()),
        unanswered: z.string().optional(),
      }),
    ),
  });
  expect(where.parse(status.data).environments).toEqual([
    { environment: "dev", champion: null, challenger: expect.anything(), differences: [] },
    { environment: "test", champion: { version: "2", rollback: "1" }, challenger: null, differences: [] },
    { environment: "prod", champion: { version: "1", rollback: "none" }, challenger: null, differences: [] },
  ]);
  await say("history", line.run("approver", ["history"]));
  await say("verify", line.run("approver", ["verify"]));

  // And one who moves a version by hand is seen.
  const second = registered("prod")?.versions.get("2");
  if (second !== undefined) second.current_stage = "Staging";
  const moved = await line.run("approver", ["verify"]);
  expect(moved.status).toBe(3);
  expect(moved.ran.stdout).toMatch(/challenger/);
});
