import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { holdJudged } from "../judged.ts";
import { judge } from "../python-judge.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { born, unity } from "./store.ts";

const script = join(dirname(fileURLToPath(import.meta.url)), "judge.py");

let fake: FakeWorkspace;
afterEach(() => fake?.stop());

async function start(): Promise<FakeWorkspace> {
  fake = await startWorkspace({
    catalogs: [{ name: "acme_dev", schemas: [{ name: "claims", volumes: ["evidence"] }] }],
    principals: [{ name: "ci", groups: ["builders"] }],
    grants: [
      { on: "catalog acme_dev", to: "ci", privileges: ["USE_CATALOG"] },
      { on: "schema acme_dev.claims", to: "ci", privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
      { on: "volume acme_dev.claims.evidence", to: "builders", privileges: ["READ_VOLUME", "WRITE_VOLUME"] },
    ],
  });
  const { url } = fake.issuer;
  const subject = "repo:acme/models:environment:production";
  fake.federate({ issuer: url, audiences: ["factory"], subject, servicePrincipal: "ci" });
  return fake;
}

const run = (workspace: FakeWorkspace, ...parts: string[]): Promise<unknown> => {
  const { token, clientId = "", clientSecret = "" } = workspace.identity("ci");
  const { requestUrl, requestToken } = workspace.issuer;
  return judge(script, { url: workspace.url, token }, parts, {
    ADMIN_TOKEN: workspace.admin.token,
    CI_ID: clientId,
    CI_SECRET: clientSecret,
    ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
  });
};

test("both official clients write and read models, versions, aliases, tags and grants of Unity Catalog", async () => {
  await start();
  const table = { catalog_name: "acme_dev", schema_name: "claims", name: "rows" };
  unity.of(fake.state).tables.set("acme_dev.claims.rows", { ...table, ...born("admin@example.com", 0, undefined) });
  fake.grant({ on: "table acme_dev.claims.rows", to: "ci", privileges: ["SELECT"] });
  expect(await run(fake, "containers", "written_by_mlflow", "written_by_sdk", "grants")).toEqual({
    metastore: 36,
    create_catalog: "PERMISSION_DENIED",
    catalog: "extra",
    catalogs: ["acme_dev", "extra"],
    get_catalog: "c",
    schema: "extra.models",
    schemas: ["default", "information_schema", "models"],
    get_schema: "extra",
    volume: "extra.models.files",
    volumes: ["files"],
    get_volume: "MANAGED",
    table: "acme_dev.claims.rows",
    hidden: "PERMISSION_DENIED",
    model: ["acme_dev.claims.triage", { team: "claims" }, "d"],
    again: "RESOURCE_ALREADY_EXISTS",
    version: ["1", "READY", { digest: "1" }, "first"],
    unsigned: "INTERNAL_ERROR",
    dotted: "INVALID_PARAMETER_VALUE",
    sdk_model: ["acme_dev.claims.triage", "changed", [["champion", 1]]],
    sdk_plain: [],
    sdk_versions: [
      [2, "READY", "second"],
      [1, "READY", "first"],
    ],
    sdk_version: ["champion"],
    sdk_alias: 1,
    sdk_models: ["acme_dev.claims.triage"],
    bytes: true,
    uri: true,
    search: ["2", "1"],
    search_more: "INVALID_PARAMETER_VALUE",
    models: ["acme_dev.claims.triage"],
    mlflow_version: ["1", "by sdk", ["challenger"]],
    mlflow_get: "READY",
    mlflow_model: { challenger: "1" },
    no_alias: "RESOURCE_DOES_NOT_EXIST",
    job: "7",
    deleted: "RESOURCE_DOES_NOT_EXIST",
    grants: [["account users", ["EXECUTE"]]],
    effective: [
      ["CREATE_MODEL", "SCHEMA"],
      ["USE_CATALOG", "CATALOG"],
      ["USE_SCHEMA", "SCHEMA"],
    ],
    not_mine: "PERMISSION_DENIED",
  });
  await holdJudged("unity", fake.log);
});

test("databricks-sdk moves files, lists people and signs in by secret and by ID token", async () => {
  await start();
  expect(await run(fake, "presigned", "files", "people", "sign_in")).toEqual({
    signed: true,
    exists: "ALREADY_EXISTS",
    read: "hello",
    listed: [
      ["b", true],
      ["one two.txt", false],
    ],
    size: 5,
    full: "INVALID_PARAMETER_VALUE",
    gone: null,
    big: true,
    plain: 51 << 20,
    users: ["admin@example.com"],
    user: true,
    principals: ["ci"],
    principal: true,
    groups: ["admins", "builders"],
    m2m: "ci",
    wrong: true,
    github: "ci",
    stranger: true,
  });
  await holdJudged("files-and-people", fake.log);
});
