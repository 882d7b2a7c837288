import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { startCatalogs } from "../clients/unity-catalog/line-parts.ts";
import type { FakeWorkspace } from "../fakes/workspace/server.ts";
import { serving } from "../fakes/workspace/serving/state.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import type { SmallLine } from "../support/small-line.ts";
import { EndpointLine } from "./endpoint-parts.ts";
import { good } from "./line-in-prod.ts";

// A release to a serving endpoint that is cut off, given up, made again and gone round by hand, through the program.

const ENDPOINT = "claims-triage";
let server: MlflowServer;
let fake: FakeWorkspace;
let it: EndpointLine;
let line: SmallLine;

beforeAll(async () => {
  [server, fake] = await Promise.all([startMlflowServer(), startCatalogs()]);
  it = await EndpointLine.make(server, fake, ENDPOINT);
  ({ line } = it);
}, 300_000);
afterAll(async () => {
  line?.remove();
  await fake?.stop();
  await server?.stop();
});

const asked = z.object({ registry: z.array(z.object({ environment: z.string(), endpoints: z.array(z.string()) })) });
const standing = z.object({
  environments: z.array(
    z.object({ environment: z.string(), differences: z.array(z.string()), remarks: z.array(z.string()) }),
  ),
});
const ci = (...args: string[]) => line.run("ci", args);

test("what is under way proves nothing, what is given up is taken down, what was moved by hand is seen", {
  timeout: 300_000,
}, async () => {
  const number = await it.promoted("one", "test");
  // Its own no ends the release, and so does a version that does not come up. What is kept of its words holds no secret.
  const no = fake.fault({
    kind: "status",
    status: 400,
    route: "serving-endpoints",
    method: "POST",
    message: "too big",
  });
  expect((await line.release(number, "test")).status).toBe(4);
  expect(no.struck).toBe(1);
  no.clear();
  expect(it.entries().at(-1)?.kind).toBe("abandoned");
  expect(it.last("abandoned").body.reason).toMatch(/does not take v1: .*too big/);
  const { failures } = serving.of(fake.state).settings;
  failures.set(
    `acme_test.${line.model}/1`,
    `no index at https://__token__:hush@pypi.example.com for dapi${"0".repeat(32)}`,
  );
  const gone = await line.release(number, "test");
  expect(gone.status, gone.ran.stdout).toBe(4);
  failures.clear();
  expect(it.entries().at(-1)?.kind).toBe("abandoned");
  expect(it.last("abandoned").body.reason).toMatch(/no index at https:..__token__:••••@pypi.example.com for ••••$/);

  const down = fake.fault({ kind: "status", status: 503, route: "/aliases", method: "PUT", times: 0 });
  expect((await line.release(number, "test")).status).toBe(4);
  expect(down.struck).toBeGreaterThan(0);
  down.clear();
  expect(it.answering()).toEqual(["v1 100"]);
  // The start excuses it, and proves nothing.
  const begun = await it.verified();
  expect(begun.status).toBe(4);
  expect(begun.open.join()).toContain(
    "answers v1 with 100 %; by the ledger it answers nothing and is on its way to v1",
  );

  it.routeByHand("9");
  const third = await it.verified();
  expect(third.status).toBe(3);
  expect(third.no.join()).toMatch(/answers v9 with 100 %; by the ledger it answers nothing and is on its/);
  it.routeByHand("1");

  await good(ci("promote", "--to", "test", "--abandon", "--reason", "the runner died"));
  expect(it.answering()).toBeUndefined();
  expect((await it.verified()).status).toBe(0);

  await good(line.release(number, "test"));
  expect(it.answering()).toEqual(["v1 100"]);
  const whole = await good(ci("verify"));
  expect(asked.parse(whole.data).registry).toContainEqual({ environment: "test", endpoints: [ENDPOINT] });

  it.routeByHand("9");
  expect((await it.verified()).no.join()).toMatch(/answers v9 with 100 %; by the ledger it answers v1/);
  const seen = standing.parse((await good(ci("status"))).data).environments.find((each) => each.environment === "test");
  expect(seen?.differences.join()).toContain("answers v9 with 100 %");
  expect(seen?.remarks).toEqual([]);
});
