import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { deploymentJob } from "../clients/unity-catalog/deployment-parts.ts";
import { caller } from "../fakes/workspace/calls.ts";
import { type FakeWorkspace, startWorkspace } from "../fakes/workspace/server.ts";
import { addWarehouse } from "../fakes/workspace/sql/warehouses.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";

const GROUPS = ["deployers"];
const MODEL = "acme_prod.claims.triage";
let workspace: FakeWorkspace;
let home: Home;
let cwd: string;

beforeAll(async () => {
  workspace = await startWorkspace({
    principals: [
      { name: "ci", applicationId: "11111111-2222-4333-8444-555555555555", groups: GROUPS },
      { name: "risk@example.com" },
    ],
    catalogs: [
      { name: "acme_prod", schemas: [{ name: "claims", volumes: ["factory_evidence"] }, { name: "governance" }] },
    ],
  });
  home = makeHome();
  const { clientId, clientSecret } = workspace.identity("ci");
  writeFileSync(
    join(home.variables.HOME ?? "", ".databrickscfg"),
    `[prod]\nhost = ${workspace.url}\nclient_id = ${clientId}\nclient_secret = ${clientSecret}\n`,
  );
  addWarehouse(workspace.state, {
    id: "0a1b2c3d",
    name: "Small",
    state: "STOPPED",
    users: ["11111111-2222-4333-8444-555555555555"],
  });
  addWarehouse(workspace.state, { id: "ffff0000", users: ["admin@example.com"] });
  cwd = join(home.folder, "project");
  mkdirSync(cwd);
  writePolicy();
  writeFileSync(
    join(cwd, "factory.yaml"),
    `factory: 1
project: claims-triage
policy: policy.yaml
model: { name: claims.triage, train: python train.py }
release: { strategy: direct, endpoint: claims-triage }
`,
  );
});
afterAll(async () => {
  home?.remove();
  await workspace?.stop();
});

function writePolicy({ warehouse = "0a1b2c3d", kind = "unity-catalog", pin = workspace.url, more = "" } = {}): void {
  writeFileSync(
    join(cwd, "policy.yaml"),
    `factory: 1
version: 1
organisation: Example Mutual
environments:
  - { name: prod, catalog: acme_prod, registry: { kind: ${kind}, profile: prod, host: "${pin}" }, warehouse: ${warehouse} }
people:
  ci-claims@example.com: { kind: service, aliases: [11111111-2222-4333-8444-555555555555] }
  risk@example.com: {}
roles: { model-risk: [risk@example.com] }
riskTiers:
  low: { prod: { approvals: [{ role: model-risk, count: 1 }] } }
${more}`,
  );
}

const answer = z.object({
  ok: z.boolean(),
  data: z.object({
    checks: z.array(z.object({ id: z.string(), verdict: z.string(), found: z.string(), fix: z.string().optional() })),
  }),
});

async function doctor(variables: Record<string, string> = {}) {
  const ran = await factory(["doctor", "--env", "prod", "--json"], {
    cwd,
    variables: { ...home.variables, ...variables },
  });
  const { ok, data } = answer.parse(JSON.parse(ran.stdout));
  return { status: ran.status, ok, of: Object.fromEntries(data.checks.map((check) => [check.id, check])) };
}

describe("factory doctor --env, in a workspace", () => {
  test("without a grant: who it is, and each statement to ask for", async () => {
    const { status, of } = await doctor();
    expect(status).toBe(3);
    expect(of["host.prod"]).toMatchObject({
      verdict: "ok",
      found: expect.stringMatching(/http:\/\/127\.0\.0\.1:\d+, OAuth machine-to-machine: profile prod of /),
    });
    expect(of["identity.prod"]).toEqual({
      id: "identity.prod",
      verdict: "ok",
      found:
        "ci, 11111111-2222-4333-8444-555555555555 (service principal), in deployers; ci-claims@example.com in the policy",
    });
    expect(of["registry.prod"]).toMatchObject({
      verdict: "missing",
      fix: "have the owner run: GRANT USE CATALOG ON CATALOG acme_prod TO `11111111-2222-4333-8444-555555555555`; GRANT USE SCHEMA ON SCHEMA acme_prod.claims TO `11111111-2222-4333-8444-555555555555`; then run doctor again, for what lies inside",
    });
    expect(of["evidence.prod"]).toMatchObject({
      verdict: "missing",
      fix: expect.stringContaining("GRANT WRITE VOLUME ON VOLUME acme_prod.claims.factory_evidence"),
    });
    expect(of["warehouse.prod"]).toMatchObject({ verdict: "ok", found: expect.stringContaining("is stopped") });
    expect(of["endpoint.prod"]).toMatchObject({ verdict: "ok", found: expect.stringContaining("does not exist yet") });
  });

  test("the grants that it asks for, given to a group, are enough; nothing was started or written", async () => {
    workspace.grant({ on: "catalog acme_prod", to: "deployers", privileges: ["USE_CATALOG"] });
    workspace.grant({ on: "schema acme_prod.claims", to: "deployers", privileges: ["USE_SCHEMA"] });
    expect((await doctor()).of["registry.prod"]).toMatchObject({
      verdict: "missing",
      found: `${MODEL}, which does not exist yet: 1 grant is missing`,
      fix: expect.stringContaining("GRANT CREATE MODEL ON SCHEMA acme_prod.claims TO"),
    });
    workspace.grant({ on: "schema acme_prod.claims", to: "deployers", privileges: ["CREATE_MODEL"] });
    workspace.grant({
      on: "volume acme_prod.claims.factory_evidence",
      to: "deployers",
      privileges: ["READ_VOLUME", "WRITE_VOLUME"],
    });
    const from = workspace.log.length;
    const { status, of } = await doctor();
    expect(of["registry.prod"]).toEqual({
      id: "registry.prod",
      verdict: "ok",
      found: `${MODEL} does not exist yet: may be made`,
    });
    expect(of["evidence.prod"]).toMatchObject({
      verdict: "ok",
      found: "acme_prod.claims.factory_evidence: may be read and written",
    });
    expect(status).toBe(0);
    const asked = workspace.log.slice(from).map(({ method, url }) => `${method} ${url}`);
    expect(asked.filter((each) => !each.startsWith("GET ") && each !== "POST /oidc/v1/token")).toEqual([]);
    expect(asked.length).toBeGreaterThan(5);
  });

  test("a warehouse of others, one that is not there, and no grant at all on the model", async () => {
    writePolicy({ warehouse: "ffff0000" });
    expect((await doctor()).of["warehouse.prod"]).toMatchObject({
      verdict: "missing",
      fix: expect.stringContaining("CAN USE on the SQL warehouse ffff0000"),
    });
    writePolicy({ warehouse: "eeee0000" });
    expect((await doctor()).of["warehouse.prod"]).toMatchObject({
      verdict: "missing",
      found: "there is no SQL warehouse eeee0000",
    });
    writePolicy();
  });

  test("an approver is asked for what an approval takes, and for nothing that a writer needs", async () => {
    const file = join(home.variables.HOME ?? "", ".databrickscfg");
    const whole = readFileSync(file, "utf8");
    const approver = workspace.identity("risk@example.com");
    writeFileSync(file, `[prod]\nhost = ${workspace.url}\ntoken = ${approver.token}\n`);
    try {
      workspace.grant({ on: "catalog acme_prod", to: "risk@example.com", privileges: ["USE_CATALOG"] });
      workspace.grant({ on: "schema acme_prod.claims", to: "risk@example.com", privileges: ["USE_SCHEMA"] });
      const bare = await doctor();
      expect(Object.keys(bare.of).filter((id) => id.endsWith(".prod"))).toEqual([
        "host.prod",
        "identity.prod",
        "registry.prod",
        "evidence.prod",
      ]);
      expect(bare.of["identity.prod"]?.found).toMatch(/risk@example\.com in the policy, who approves: asked for is/);
      expect(bare.of["registry.prod"]).toMatchObject({
        verdict: "ok",
        found: `${MODEL} does not exist yet: the first promotion makes it`,
      });
      expect(bare.of["evidence.prod"]).toMatchObject({
        verdict: "missing",
        fix: expect.stringMatching(
          /^have the owner run: GRANT READ VOLUME ON VOLUME acme_prod\.claims\.factory_evidence TO `risk@example\.com`(?:; then [^`]*)?$/,
        ),
      });

      // Somebody makes the model and connects it to a deployment job, which approvers let go on.
      const admin = caller(workspace.url, workspace.admin.token);
      const api = "/api/2.0/mlflow/unity-catalog/registered-models";
      expect((await admin("POST", `${api}/create`, { name: MODEL })).status).toBe(200);
      const job = await deploymentJob(workspace, { "risk@example.com": "CAN_VIEW" });
      await admin("PATCH", `${api}/update`, { name: MODEL, deployment_job_id: job });
      const privileges = ["READ_VOLUME"];
      workspace.grant({ on: "volume acme_prod.claims.factory_evidence", to: "risk@example.com", privileges });
      expect((await doctor()).of["registry.prod"]).toMatchObject({
        verdict: "missing",
        fix: expect.stringMatching(
          /^have the owner run: GRANT EXECUTE ON FUNCTION acme_prod\.claims\.triage TO `risk@example\.com`(?:; then [^`]*)?$/,
        ),
      });
      workspace.grant({ on: `function ${MODEL}`, to: "risk@example.com", privileges: ["EXECUTE"] });
      expect((await doctor()).of["deployment.prod"]).toMatchObject({
        verdict: "missing",
        fix: "have the owner run: GRANT APPLY TAG ON FUNCTION acme_prod.claims.triage TO `risk@example.com`",
      });
      workspace.grant({ on: `function ${MODEL}`, to: "risk@example.com", privileges: ["APPLY_TAG"] });
      expect((await doctor()).of["deployment.prod"]).toMatchObject({
        verdict: "missing",
        fix: `have its owner give risk@example.com CAN MANAGE RUN on job ${job}`,
      });
      const access_control_list = [{ user_name: "risk@example.com", permission_level: "CAN_MANAGE_RUN" }];
      await admin("PATCH", `/api/2.0/permissions/jobs/${job}`, { access_control_list });
      const { of, status } = await doctor();
      expect(of["registry.prod"]?.found).toBe(`${MODEL}: may be read`);
      expect(of["evidence.prod"]?.found).toBe("acme_prod.claims.factory_evidence: may be read");
      expect(of["deployment.prod"]).toMatchObject({
        verdict: "ok",
        found: `job ${job}: its tag may be set, and its run let go on`,
      });
      expect(status).toBe(0);
    } finally {
      writeFileSync(file, whole);
    }
  });

  test("the registry of the workspace", async () => {
    writePolicy({ kind: "workspace" });
    const { of } = await doctor();
    expect(of["registry.prod"]).toMatchObject({
      verdict: "ok",
      found: expect.stringContaining("acme_prod-claims-triage does not exist yet"),
    });
    expect(of["evidence.prod"]).toBeUndefined();
    writePolicy();
  });

  test("the ledger's table and its warehouse", async () => {
    writePolicy({
      more: `ledger: { kind: delta, profile: prod, warehouse: ffff0000, table: acme_prod.governance.ledger }\n`,
    });
    workspace.grant({ on: "schema acme_prod.governance", to: "deployers", privileges: ["USE_SCHEMA"] });
    const { of } = await doctor();
    expect(of.ledger).toMatchObject({
      verdict: "missing",
      fix: expect.stringContaining("GRANT CREATE TABLE ON SCHEMA acme_prod.governance"),
    });
    expect(of["ledger.warehouse"]?.verdict).toBe("missing");
    writePolicy();
  });

  test("another host than the policy pins, a secret that is refused, nobody there: one line says it", async () => {
    writePolicy({ pin: "https://adb-1.azuredatabricks.net" });
    const pinned = await doctor();
    expect(pinned.of["host.prod"]).toMatchObject({
      verdict: "missing",
      found: expect.stringContaining("the policy says https://adb-1.azuredatabricks.net"),
    });
    expect(pinned.of["registry.prod"]).toBeUndefined();
    writePolicy();
    const file = join(home.variables.HOME ?? "", ".databrickscfg");
    const whole = readFileSync(file, "utf8");
    writeFileSync(file, whole.replace(/client_secret = .*/, "client_secret = no-secret-at-all"));
    const refused = await doctor();
    writeFileSync(file, whole);
    expect(refused.of["identity.prod"]).toMatchObject({
      verdict: "missing",
      found: expect.stringContaining("refuses client 11111111"),
    });
    expect(JSON.stringify(refused)).not.toContain("no-secret-at-all");
    expect(refused.status).toBe(3);
    expect(existsSync(join(home.folder, "home/.config/factory/databricks-tokens"))).toBe(true);
  });
});
