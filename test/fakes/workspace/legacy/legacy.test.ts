import { afterEach, expect, test } from "vitest";
import { type Caller, caller, textAt } from "../calls.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { legacy } from "./store.ts";

const P = "/api/2.0/mlflow";

let fake: FakeWorkspace;
afterEach(() => fake?.stop());

const PEOPLE = ["owner", "reader", "editor", "stager", "producer", "stranger"] as const;
type Person = (typeof PEOPLE)[number];
const LEVELS: Readonly<Record<string, string>> = {
  reader: "CAN_READ",
  editor: "CAN_EDIT",
  stager: "CAN_MANAGE_STAGING_VERSIONS",
  producer: "CAN_MANAGE_PRODUCTION_VERSIONS",
};

/** A model with two versions, and a person for each level on it. */
async function start() {
  fake = await startWorkspace({ principals: PEOPLE.map((name) => ({ name: `${name}@example.com` })) });
  const as = (person: Person): Caller => caller(fake.url, fake.identity(`${person}@example.com`).token);
  const owner = as("owner");
  await owner("POST", `${P}/registered-models/create`, { name: "triage" });
  for (const _ of [1, 2])
    await owner("POST", `${P}/model-versions/create`, { name: "triage", source: "s3://bucket/x" });
  const got = await owner("GET", `${P}/databricks/registered-models/get?name=triage`);
  const id = textAt(got.json, "registered_model_databricks", "id");
  const access_control_list = Object.entries(LEVELS).map(([person, permission_level]) => ({
    user_name: `${person}@example.com`,
    permission_level,
  }));
  expect((await owner("PATCH", `/api/2.0/permissions/registered-models/${id}`, { access_control_list })).status).toBe(
    200,
  );
  const post = async (person: Person, path: string, body: object): Promise<string> => {
    const { status, json } = await as(person)("POST", `${P}/${path}`, { name: "triage", ...body });
    return status === 200 ? "ok" : textAt(json, "error_code");
  };
  return { as, post };
}

const to = (stage: string, more: object = {}): object => ({
  version: "1",
  stage,
  archive_existing_versions: false,
  ...more,
});

test("each level may do what it says, and no more", async () => {
  const { as, post } = await start();
  const denied = "PERMISSION_DENIED";
  expect((await as("stranger")("GET", `${P}/model-versions/get?name=triage&version=1`)).json.error_code).toBe(denied);
  expect((await as("stranger")("GET", `${P}/registered-models/search`)).json).toEqual({});
  expect((await as("reader")("GET", `${P}/model-versions/get?name=triage&version=1`)).status).toBe(200);
  expect(await post("reader", "model-versions/set-tag", { version: "1", key: "a", value: "b" })).toBe(denied);
  expect(await post("editor", "model-versions/set-tag", { version: "1", key: "a", value: "b" })).toBe("ok");
  expect(await post("editor", "databricks/model-versions/transition-stage", to("Staging"))).toBe(denied);
  expect(await post("stager", "databricks/model-versions/transition-stage", to("Staging"))).toBe("ok");
  expect(await post("stager", "databricks/model-versions/transition-stage", to("Production"))).toBe(denied);
  expect(await post("producer", "databricks/model-versions/transition-stage", to("Production"))).toBe("ok");
  // Out of Production takes the same right as into it.
  expect(await post("stager", "databricks/model-versions/transition-stage", to("Archived"))).toBe(denied);
  expect(await post("producer", "registered-models/rename", { new_name: "x" })).toBe(denied);
});

test("a request is made by who may read, decided by who may move, deleted by who made it", async () => {
  const { as, post } = await start();
  expect(
    await post(
      "reader",
      "transition-requests/create",
      to("Production", { archive_existing_versions: undefined, comment: "https://evidence" }),
    ),
  ).toBe("ok");
  const list = async (person: Person): Promise<unknown> =>
    (await as(person)("GET", `${P}/transition-requests/list?name=triage&version=1`)).json.requests;
  expect(await list("stager")).toMatchObject([
    { available_actions: [], comment: "https://evidence", user_id: "reader@example.com" },
  ]);
  expect(await list("producer")).toMatchObject([
    { available_actions: ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST"] },
  ]);
  expect(await post("stager", "transition-requests/approve", to("Production"))).toBe("PERMISSION_DENIED");
  expect(await post("producer", "transition-requests/approve", to("Staging"))).toBe("RESOURCE_DOES_NOT_EXIST");
  expect(await post("producer", "transition-requests/approve", { version: "1", stage: "Production" })).toBe(
    "INVALID_PARAMETER_VALUE",
  );
  const query = `name=triage&version=1&stage=Production&creator=reader%40example.com`;
  expect((await as("producer")("DELETE", `${P}/transition-requests/delete?${query}`)).json.error_code).toBe(
    "PERMISSION_DENIED",
  );
  expect(await post("producer", "transition-requests/approve", to("Production", { comment: "four eyes" }))).toBe("ok");
  expect(await list("producer")).toBeUndefined();

  expect(await post("reader", "transition-requests/create", { version: "2", stage: "Production" })).toBe("ok");
  expect(
    await post(
      "producer",
      "transition-requests/approve",
      to("Production", { version: "2", archive_existing_versions: true }),
    ),
  ).toBe("ok");
  expect(
    textAt(
      (await as("reader")("GET", `${P}/model-versions/get?name=triage&version=1`)).json,
      "model_version",
      "current_stage",
    ),
  ).toBe("Archived");
  expect(
    legacy.of(fake.state).activities.map((each) => `${each.activity_type} ${each.version} ${each.to_stage}`),
  ).toEqual([
    "REQUESTED_TRANSITION 1 Production",
    "APPROVED_REQUEST 1 Production",
    "REQUESTED_TRANSITION 2 Production",
    "SYSTEM_TRANSITION 1 Archived",
    "APPROVED_REQUEST 2 Production",
  ]);
});

test("a version is PENDING until it was read, its source must be there, its number is text", async () => {
  const { as } = await start();
  legacy.of(fake.state).settings.pendingReads = 2;
  const owner = as("owner");
  await owner("POST", `${P}/model-versions/create`, { name: "triage", source: "s3://bucket/x" });
  const status = async (): Promise<string> =>
    textAt((await owner("GET", `${P}/model-versions/get?name=triage&version=3`)).json, "model_version", "status");
  expect([await status(), await status(), await status()]).toEqual([
    "PENDING_REGISTRATION",
    "PENDING_REGISTRATION",
    "READY",
  ]);
  const lost = await owner("POST", `${P}/model-versions/create`, {
    name: "triage",
    source: `models:/m-${"0".repeat(32)}`,
  });
  expect(textAt(lost.json, "model_version", "status")).toBe("FAILED_REGISTRATION");
  expect(
    (await owner("POST", `${P}/model-versions/set-tag`, { name: "triage", version: 1, key: "a", value: "b" })).status,
  ).toBe(400);
  expect((await owner("GET", `${P}/registered-models/alias?name=triage&alias=champion`)).json.error_code).toBe(
    "ENDPOINT_NOT_FOUND",
  );
  legacy.of(fake.state).settings.disabled = true;
  expect((await owner("GET", `${P}/registered-models/get?name=triage`)).json.error_code).toBe("FEATURE_DISABLED");
});
