import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { servingEndpoint } from "../../../src/clients/databricks/serving.ts";
import { scoringRequest } from "../../../src/release/scoring-request.ts";
import { removeEndpoint, serve } from "../../../src/release/serve.ts";
import { broughtUp, isServing, routedTo } from "../../../src/release/serving.ts";
import { serving } from "../../fakes/workspace/serving/state.ts";
import { MODEL, type Unity, unity, wanted } from "../unity-catalog/parts.ts";

let place: Unity;
let settings: ReturnType<typeof serving.of>["settings"];
let name = "";
let made = 0;

beforeAll(async () => {
  place = await unity();
  for (const text of ["one", "two", "three"])
    await place.registry.createFromFolder(wanted(await place.model(text), { above: made++ }), () => {});
  ({ settings } = serving.of(place.fake.state));
}, 300_000);
afterAll(() => place?.stop());
beforeEach(() => {
  name = `claims-${++made}`;
  settings.failures.clear();
  Object.assign(settings, { polls: 1, readyMs: 0, stuck: false });
  place.fake.clearFaults();
  place.fake.log.length = 0;
});

const world = () => ({ report: () => {}, signal: new AbortController().signal });
const endpoint = () => servingEndpoint(place.workspace, name, MODEL);
const up = (version: string) => serve(endpoint(), (state) => broughtUp(state, version), world());
const route = (version: string, standby?: string) => serve(endpoint(), () => routedTo(version, standby), world());
const shares = async () => (await endpoint().state())?.served.map((each) => `v${each.version} ${each.traffic}`);

describe("a serving endpoint", () => {
  test("is made with the first version, takes the next one beside it without requests, and then all of them", async () => {
    expect(await endpoint().state()).toBeUndefined();
    await up("1");
    expect(await shares()).toEqual(["v1 100"]);
    await up("2");
    expect(await shares()).toEqual(["v1 100", "v2 0"]);
    await route("2", "1");
    expect(await shares()).toEqual(["v2 100", "v1 0"]);
    await route("1");
    expect(await shares()).toEqual(["v1 100"]);
  });

  test("is asked for nothing when it serves what it should", async () => {
    await up("1");
    place.fake.log.length = 0;
    await up("1");
    await route("1");
    expect(place.fake.log.filter((each) => each.method !== "GET")).toEqual([]);
  });

  test("is waited for, however long it says that it changes", async () => {
    await up("1");
    settings.polls = 4;
    await up("2");
    expect(await shares()).toEqual(["v1 100", "v2 0"]);
  });

  test("keeps the settings and the name of what is up", async () => {
    const workspace = place.workspace;
    const entity = {
      name: "from-the-bundle",
      entity_name: MODEL,
      entity_version: "1",
      workload_size: "Medium",
      scale_to_zero_enabled: true,
      environment_vars: { LEVEL: "info" },
    };
    await workspace.attempt({
      method: "POST",
      path: "/api/2.0/serving-endpoints",
      json: { name, config: { served_entities: [entity] } },
    });
    await up("2");
    const { served_entities } = serving.of(place.fake.state).endpoints.get(name)?.active ?? {};
    expect(served_entities).toMatchObject([
      { name: "from-the-bundle", entity_version: "1", workload_size: "Medium", environment_vars: { LEVEL: "info" } },
      { name: "v2", entity_version: "2", workload_size: "Medium", scale_to_zero_enabled: true },
    ]);
  });

  test("that does not bring a version up says why, and goes on with the one before", async () => {
    await up("1");
    settings.failures.set(`${MODEL}/2`, "container failed: No module named 'lightgbm'");
    await expect(up("2")).rejects.toMatchObject({
      code: "serving.failed",
      exit: 4,
      message: expect.stringContaining("No module named 'lightgbm'"),
    });
    expect(await shares()).toEqual(["v1 100"]);
    // The failed change does not stand in the way of the next one.
    await up("3");
    expect(await shares()).toEqual(["v1 100", "v3 0"]);
  });

  test("whose reply is lost has taken the request: it is looked at, and asked once", async () => {
    await up("1");
    place.fake.fault({ kind: "reset", when: "after", method: "PUT", route: "config" });
    await up("2").catch((error) => expect(error).toMatchObject({ exit: 4 }));
    await up("2");
    expect(await shares()).toEqual(["v1 100", "v2 0"]);
    expect(place.fake.log.filter((each) => each.method === "PUT").length).toBe(1);
  });

  test("that serves another model too is not touched", async () => {
    await up("1");
    const other = servingEndpoint(place.workspace, name, "acme_test.claims.other");
    await expect(serve(other, (state) => broughtUp(state, "1"), world())).rejects.toMatchObject({
      code: "serving.strangers",
    });
    expect(await shares()).toEqual(["v1 100"]);
  });

  test("that serves another model too is not removed", async () => {
    await up("1");
    const other = servingEndpoint(place.workspace, name, "acme_test.claims.other");
    await expect(removeEndpoint(other)).rejects.toMatchObject({ code: "serving.strangers", exit: 4 });
    expect(await shares()).toEqual(["v1 100"]);
    await removeEndpoint(endpoint());
    expect(await endpoint().state()).toBeUndefined();
  });

  test("that somebody else changes at the same moment is exit 5", async () => {
    await up("1");
    settings.stuck = true;
    await endpoint().ask(routedTo("2", "1"));
    await expect(endpoint().ask(routedTo("3", "1"))).rejects.toMatchObject({ code: "serving.busy", exit: 5 });
  });

  test("that refuses a change says so; who lacks the right to ask for one hears another error", async () => {
    await up("1");
    const refused = place.fake.fault({
      kind: "status",
      status: 400,
      method: "PUT",
      route: "config",
      message: "too big",
    });
    await expect(up("2")).rejects.toMatchObject({
      code: "serving.failed",
      exit: 4,
      message: expect.stringContaining("too big"),
    });
    refused.clear();
    place.fake.fault({ kind: "status", status: 403, method: "PUT", route: "config" });
    await expect(up("2")).rejects.toMatchObject({ code: "http.403", exit: 4 });
    expect(await shares()).toEqual(["v1 100"]);
  });

  test.each([
    [400, "serving.score"],
    [403, "http.403"],
  ])("that answers a request with %i: %s", async (status, code) => {
    await up("1");
    place.fake.fault({ kind: "status", status, route: "invocations" });
    await expect(endpoint().score({ inputs: [] })).rejects.toMatchObject({ code, exit: 4 });
  });

  test("that is removed is gone, twice too", async () => {
    await up("1");
    await endpoint().remove();
    await endpoint().remove();
    expect(await endpoint().state()).toBeUndefined();
  });

  test("scores a request, and says what it does not like about one", async () => {
    await up("1");
    await expect(endpoint().score({ dataframe_split: { columns: ["no such"], data: [[1]] } })).rejects.toMatchObject({
      code: "serving.score",
      exit: 4,
    });
    await expect(endpoint().score(await scoringRequest((await place.model("one")).folder))).resolves.toBeUndefined();
  });
});

describe("what is asked for", () => {
  const state = (served: { version: string; traffic: number }[], more = {}) =>
    ({ served, strangers: [], phase: "steady" as const, ready: true, trouble: undefined, ...more }) as const;

  test("a version comes up without requests, unless nobody else is there", () => {
    expect(broughtUp(undefined, "1")).toEqual([{ version: "1", traffic: 100 }]);
    expect(broughtUp(state([{ version: "1", traffic: 100 }]), "1")).toEqual([{ version: "1", traffic: 100 }]);
    expect(
      broughtUp(
        state([
          { version: "2", traffic: 100 },
          { version: "1", traffic: 0 },
        ]),
        "3",
      ),
    ).toEqual([
      { version: "2", traffic: 100 },
      { version: "3", traffic: 0 },
    ]);
  });

  test("an endpoint serves what was asked only when all of it is up and nothing changes", () => {
    const goal = routedTo("2", "1");
    const there = state([...goal]);
    expect(isServing(there, goal)).toBe(true);
    expect(isServing({ ...there, phase: "failed" }, goal)).toBe(false);
    expect(isServing({ ...there, ready: false }, goal)).toBe(false);
    expect(isServing(there, routedTo("2", undefined))).toBe(false);
    expect(isServing(state([{ version: "2", traffic: 99 }]), routedTo("2", undefined))).toBe(false);
    expect(isServing(undefined, goal)).toBe(false);
  });
});

describe("a request to try a model with", () => {
  test("is the example that was logged with it, else a row for its inputs", async () => {
    const folder = mkdtempSync(join(tmpdir(), "factory-scoring-"));
    try {
      writeFileSync(join(folder, "MLmodel"), "flavors: {}\n");
      expect(await scoringRequest(folder)).toBeUndefined();
      const inputs = JSON.stringify([
        { name: "age", type: "long", required: true },
        { name: "plan", type: "string" },
        { name: "note", type: "string", required: false },
      ]);
      writeFileSync(join(folder, "MLmodel"), `signature:\n  inputs: '${inputs}'\n`);
      expect(await scoringRequest(folder)).toEqual({
        dataframe_split: { columns: ["age", "plan"], data: [[1, ""]] },
      });
      const example = { dataframe_split: { columns: ["age"], data: [[41]] } };
      writeFileSync(join(folder, "serving_input_example.json"), JSON.stringify(example));
      expect(await scoringRequest(folder)).toEqual(example);
      writeFileSync(join(folder, "serving_input_example.json"), "{ not json");
      expect(await scoringRequest(folder)).toMatchObject({ dataframe_split: { columns: ["age", "plan"] } });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
