import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCatalogs } from "../clients/unity-catalog/line-parts.ts";
import type { FakeWorkspace } from "../fakes/workspace/server.ts";
import { serving } from "../fakes/workspace/serving/state.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { DEEP, hashOf } from "../support/sample.ts";
import { EndpointLine, placed } from "./endpoint-parts.ts";
import { good } from "./line-in-prod.ts";

// Serving endpoints when somebody with a listed key and no rights on the workspace signs what CI then finds begun, and when people change
// their minds while an endpoint comes up: what was only begun gives no version requests, and moves no alias.

let server: MlflowServer;
let fake: FakeWorkspace;
let it: EndpointLine | undefined;
beforeAll(async () => {
  [server, fake] = await Promise.all([startMlflowServer(), startCatalogs()]);
}, 300_000);
afterEach(() => {
  it?.line.remove();
  it = undefined;
});
afterAll(async () => {
  await fake?.stop();
  await server?.stop();
});

const CASES: Readonly<Record<string, (of: EndpointLine) => Promise<void>>> = {
  "a start that says who served before moves champion nowhere": async (of) => {
    const { line } = of;
    const one = await of.promoted("one", "prod");
    await good(line.release(one, "prod"));
    const two = await of.promoted("two", "prod");
    await good(line.run("approver", ["approve", "withdraw", two, "--to", "prod", "--reason", "a complaint"]));
    expect((await line.release(two, "prod")).status).toBe(3);
    const { body } = of.last("release.started");
    const champion = placed(of.last("promoted").body);
    of.forge("author", { kind: "release.started", body: { ...body, champion, rollback: "none" } });
    expect((await line.release(one, "prod")).status).toBe(5);
    expect(of.answering()).toEqual(["v1 100"]);
    expect(await of.verified()).toMatchObject({ status: 0, no: [], notes: [] });
  },
  "a start about what may not be released, abandoned as verify advises, makes no endpoint": async (of) => {
    const { line } = of;
    const one = await of.promoted("one", "prod");
    await good(line.run("approver", ["approve", "withdraw", one, "--to", "prod", "--reason", "a complaint"]));
    const { model, digest, version, evidence, createdAt } = of.last("promoted").body;
    const { rules, policy } = of.last("promotion.started").body;
    const about = { model, digest, version, evidence, rules, policy, environment: "prod", strategy: "direct" };
    const champion = placed({ version, digest, createdAt });
    of.forge("author", {
      kind: "release.started",
      body: { ...about, approvals: [], champion, rollback: "none", endpoint: of.endpoint, verdicts: [] },
    });
    expect((await of.verified()).status).toBe(3);
    await good(line.run("ci", ["promote", "--to", "prod", "--abandon", "--reason", "nobody approved it"]));
    expect(of.answering()).toBeUndefined();
    expect((await of.verified()).status).toBe(0);
  },
  "a start that names another endpoint, or none, is not carried on": async (of) => {
    const { line } = of;
    const one = await of.promoted("one", "test");
    const down = fake.fault({ kind: "status", status: 503, route: "/aliases", method: "PUT", times: 0 });
    expect((await line.release(one, "test")).status).toBe(4);
    down.clear();
    await good(line.run("ci", ["promote", "--to", "test", "--abandon", "--reason", "given up"]));
    const { endpoint: _, ...without } = of.last("release.started").body;
    for (const body of [{ ...without, endpoint: "shadow" }, without]) {
      of.forge("author", { kind: "release.started", body });
      expect((await line.release(one, "test")).status).toBe(5);
      expect([of.answering(), of.answering("shadow")]).toEqual([undefined, undefined]);
    }
    await good(line.release(one, "test"));
    expect(of.answering()).toEqual(["v1 100"]);
  },
  "a rollback that was begun without its endpoint moves it all the same": async (of) => {
    const { line } = of;
    for (const text of ["one", "two"]) await good(line.release(await of.promoted(text, "test"), "test"));
    const { seq, body } = of.last("released");
    const [first] = of.entries().flatMap((each) => (each.kind === "promoted" ? [placed(each.body)] : []));
    if (first === undefined) throw new Error("nothing was promoted");
    const { model, digest, environment } = body;
    of.forge("author", {
      kind: "rollback.started",
      body: { model, digest, environment, undoes: seq, from: placed(body), to: first, reason: "escalations doubled" },
    });
    await good(line.rollback("test"));
    expect(of.answering()).toEqual(["v1 100"]);
    expect((await of.verified()).status).toBe(0);
  },
  "a rollback past what was released by alias alone takes its endpoint down": async (of) => {
    const { line } = of;
    const { release: _, ...project } = JSON.parse(readFileSync(join(line.folder, "factory.yaml"), "utf8"));
    const one = await of.promoted("one", "test", { project: JSON.stringify(project) });
    await good(line.release(one, "test"));
    expect(of.answering()).toBeUndefined();
    await good(line.release(await of.promoted("two", "test"), "test"));
    await good(line.rollback("test"));
    expect(of.answering()).toEqual(["v1 100"]);
    await good(line.rollback("test", "--further", "--incident", "INC-1"));
    expect(of.answering()).toBeUndefined();
    expect((await of.verified()).status).toBe(0);
  },
  "an approval that is withdrawn while the endpoint comes up stops the release": async (of) => {
    const { line } = of;
    const one = await of.promoted("one", "prod");
    const { settings, endpoints } = serving.of(fake.state);
    settings.readyMs = 8000;
    try {
      const releasing = line.release(one, "prod");
      for (let i = 0; i < 300 && !endpoints.has(of.endpoint); i++) await sleep(100);
      await good(line.run("approver", ["approve", "withdraw", one, "--to", "prod", "--reason", "a complaint"]));
      const stopped = await releasing;
      expect(stopped.status).toBe(5);
      expect(stopped.against.join()).toMatch(/withdrew an approval on which entry \d+ \(release\.started\) rests/);
    } finally {
      settings.readyMs = 0;
    }
    expect(of.answering()).toBeUndefined();
    expect(of.entries().map((each) => each.kind)).not.toContain("released");
    expect((await line.release(one, "prod")).against.join()).toContain("refused by now: approvals");
  },
};

// One of them in CI, which one the seed says.
const chosen = Object.keys(CASES)
  .sort((a, b) => hashOf(a) - hashOf(b))
  .slice(0, DEEP ? undefined : 1);
test.each(chosen)("%s", { timeout: 300_000 }, async (name) => {
  it = await EndpointLine.make(server, fake, `ep-${hashOf(name)}`);
  await CASES[name]?.(it);
});
