import { afterEach, expect, test } from "vitest";
import { caller, textAt } from "../calls.ts";
import { versionKey, writeFile } from "../files/tree.ts";
import { hooksOf } from "../hooks.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { born, unity } from "../unity/store.ts";
import { serving } from "./state.ts";

const P = "/api/2.0/serving-endpoints";
const NAME = "acme.claims.triage";

let fake: FakeWorkspace;
let clock = 0;
afterEach(() => fake?.stop());

const MLMODEL = `flavors: {}
signature:
  inputs: '[{"type":"double","name":"x","required":true},{"type":"string","name":"kind","required":false}]'
  outputs: '[{"type":"double","name":"y","required":true}]'
`;

/** A workspace with three versions of a model, the last of them PENDING, that ann may execute. */
async function start() {
  clock = Date.now();
  fake = await startWorkspace({
    now: () => clock,
    principals: [{ name: "ann@example.com" }, { name: "bob@example.com" }],
    catalogs: [{ name: "acme", schemas: [{ name: "claims" }] }],
    grants: [
      { on: "catalog acme", to: "ann@example.com", privileges: ["USE_CATALOG"] },
      { on: "schema acme.claims", to: "ann@example.com", privileges: ["USE_SCHEMA", "EXECUTE"] },
    ],
  });
  const owner = born(fake.admin.name, clock, undefined);
  const version = (number: number, status: "READY" | "PENDING_REGISTRATION") => ({
    version: number,
    id: `v${number}`,
    status,
    status_message: "",
    source: "s",
    run_id: undefined,
    run_tracking_server_id: undefined,
    model_id: undefined,
    comment: undefined,
    dependencies: [],
    tags: new Map(),
    storage_location: "s3://x",
    created_at: clock,
    created_by: fake.admin.name,
    updated_at: clock,
    updated_by: fake.admin.name,
    deployment: undefined,
  });
  unity.of(fake.state).models.set(NAME, {
    ...owner,
    name: "triage",
    catalog_name: "acme",
    schema_name: "claims",
    id: "model",
    tags: new Map(),
    aliases: new Map(),
    versions: new Map([
      [1, version(1, "READY")],
      [2, version(2, "READY")],
      [3, version(3, "PENDING_REGISTRATION")],
    ]),
    nextVersion: 4,
    deploymentJobId: "",
  });
  for (const number of [1, 2])
    writeFile(fake.state, `${versionKey("model", number)}/MLmodel`, Buffer.from(MLMODEL), clock);
  return {
    ann: caller(fake.url, fake.identity("ann@example.com").token),
    bob: caller(fake.url, fake.identity("bob@example.com").token),
  };
}

const entity = (version: string, more: object = {}): object => ({
  name: `v${version}`,
  entity_name: NAME,
  entity_version: version,
  workload_size: "Small",
  ...more,
});
const one = { served_entities: [entity("1")] };
const both = (first: number, second: number): object => ({
  served_entities: [entity("1"), entity("2")],
  traffic_config: {
    routes: [
      { served_entity_name: "v1", traffic_percentage: first },
      { served_entity_name: "v2", traffic_percentage: second },
    ],
  },
});

test("what a config must be", async () => {
  const { ann, bob } = await start();
  const create = async (config: object, call = ann): Promise<unknown> => {
    const { status, json } = await call("POST", P, { name: "e", config });
    return status === 200 ? "made" : `${status} ${json.error_code}`;
  };
  const bad = "400 INVALID_PARAMETER_VALUE";
  expect(await create({ served_entities: [] })).toBe(bad);
  expect(await create({ served_entities: [entity("champion")] })).toBe(bad);
  expect(await create({ served_entities: [{ ...entity("1"), entity_version: 1 }] })).toBe(bad);
  expect(await create({ served_entities: [entity("1", { workload_size: "Huge" })] })).toBe(bad);
  expect(await create({ served_entities: [entity("1", { min_provisioned_concurrency: 4 })] })).toBe(bad);
  expect(await create({ served_entities: [entity("1"), entity("1")] })).toBe(bad);
  expect(await create({ served_entities: [entity("1"), entity("2")] })).toBe(bad);
  expect(await create(both(50, 60))).toBe(bad);
  expect(await create(both(-10, 110))).toBe(bad);
  expect(
    await create({ ...one, traffic_config: { routes: [{ served_entity_name: "v2", traffic_percentage: 100 }] } }),
  ).toBe(bad);
  expect(await create({ served_entities: Array.from({ length: 11 }, (_, i) => entity("1", { name: `n${i}` })) })).toBe(
    bad,
  );
  expect(await create({ ...one, colour: 1 })).toBe("400 MALFORMED_REQUEST");
  expect(await create({ served_entities: [entity("3")] })).toBe("400 INVALID_STATE");
  expect(await create({ served_entities: [entity("9")] })).toBe("404 RESOURCE_DOES_NOT_EXIST");
  expect(await create(one, bob)).toBe("403 PERMISSION_DENIED");
  expect(await create(one)).toBe("made");
  expect(await create(one)).toBe("409 RESOURCE_ALREADY_EXISTS");
});

test("an update takes reads and time; meanwhile the active config serves, and another update is refused", async () => {
  const { ann, bob } = await start();
  const { settings } = serving.of(fake.state);
  settings.polls = 2;
  settings.readyMs = 1000;
  const state = async (): Promise<string> => {
    const { json } = await ann("GET", `${P}/e`);
    return `${textAt(json, "state", "ready")} ${textAt(json, "state", "config_update")} ${textAt(json, "config", "config_version")}/${textAt(json, "pending_config", "config_version")}`;
  };
  expect((await ann("POST", P, { name: "e", config: one })).status).toBe(200);
  expect((await ann("POST", "/serving-endpoints/e/invocations", { inputs: [{ x: 1 }] })).status).toBe(503);
  expect([await state(), await state(), await state()]).toEqual(Array(3).fill("NOT_READY IN_PROGRESS /1"));
  clock += 1000;
  expect(await state()).toBe("READY NOT_UPDATING 1/");
  expect((await ann("PUT", `${P}/e/config`, both(90, 10))).status).toBe(200);
  expect(await state()).toBe("READY IN_PROGRESS 1/2");
  expect((await ann("PUT", `${P}/e/config`, one)).json.error_code).toBe("RESOURCE_CONFLICT");
  expect(
    (await ann("POST", "/serving-endpoints/e/invocations", { inputs: [{ x: 1 }] })).headers.get("served-model-name"),
  ).toBe("v1");
  clock += 1000;
  await state();
  expect(await state()).toBe("READY NOT_UPDATING 2/");
  const served = [];
  for (let i = 0; i < 100; i++)
    served.push(
      (await ann("POST", "/serving-endpoints/e/invocations", { inputs: [{ x: 1 }] })).headers.get("served-model-name"),
    );
  expect(served.filter((each) => each === "v2").length).toBe(10);
  expect((await bob("POST", "/serving-endpoints/e/invocations", { inputs: [{ x: 1 }] })).status).toBe(403);
  expect((await bob("GET", `${P}/e`)).status).toBe(403);
  expect((await bob("GET", P)).json).toEqual({});
});

test("a failed update leaves what served, and tells why in the entity and in the logs", async () => {
  const { ann } = await start();
  const { settings } = serving.of(fake.state);
  settings.polls = 0;
  await ann("POST", P, { name: "e", config: one });
  await ann("GET", `${P}/e`);
  settings.failures.set(`${NAME}/2`, "ModuleNotFoundError: No module named 'triage'");
  await ann("PUT", `${P}/e/config`, both(0, 100));
  const { json } = await ann("GET", `${P}/e`);
  expect(json.state).toEqual({ ready: "READY", config_update: "UPDATE_FAILED" });
  expect(textAt(json, "config", "config_version")).toBe("1");
  expect(textAt(json, "pending_config", "served_entities", 1, "state", "deployment")).toBe("DEPLOYMENT_FAILED");
  expect(textAt(json, "pending_config", "served_entities", 1, "state", "deployment_state_message")).toContain(
    "ModuleNotFoundError",
  );
  expect((await ann("GET", `${P}/e/served-models/v2/build-logs`)).text).toContain("ModuleNotFoundError");
  expect(
    (await ann("POST", "/serving-endpoints/e/invocations", { inputs: [{ x: 1 }] })).headers.get("served-model-name"),
  ).toBe("v1");
  // Another config may be put after a failure.
  settings.failures.clear();
  await ann("PUT", `${P}/e/config`, both(0, 100));
  expect(textAt((await ann("GET", `${P}/e`)).json, "state", "config_update")).toBe("NOT_UPDATING");
});

test("scoring holds inputs to the model's signature", async () => {
  const { ann } = await start();
  serving.of(fake.state).settings.polls = 0;
  await ann("POST", P, { name: "e", config: one });
  await ann("GET", `${P}/e`);
  hooksOf(fake.state).score = ({ columns, rows, entityVersion }) =>
    rows.map((row) => `${entityVersion}:${row[columns.indexOf("x")]}`);
  const score = async (body: object): Promise<unknown> => {
    const { status, json } = await ann("POST", "/serving-endpoints/e/invocations", body);
    return status === 200 ? json.predictions : `${status} ${json.error_code}`;
  };
  const split = (columns: string[], ...data: unknown[][]): object => ({ dataframe_split: { columns, data } });
  expect(await score(split(["x"], [1], [2.5]))).toEqual(["1:1", "1:2.5"]);
  expect(await score({ dataframe_records: [{ x: 3, kind: "a" }] })).toEqual(["1:3"]);
  for (const wrong of [
    split(["y"], [1]),
    split(["x"], ["1"]),
    split(["x"], [null]),
    split(["x"], [1, 2]),
    split(["x", "kind"], [1, 2]),
    { instances: [1] },
    { ...split(["x"], [1]), inputs: [{ x: 1 }] },
    {},
  ])
    expect(await score(wrong)).toBe("400 BAD_REQUEST");
});
