import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import { openTracking } from "../../../src/clients/databricks/tracking.ts";
import { workspaceMlflow } from "../../../src/clients/databricks/tracking-api.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { sha256File } from "../../../src/lib/hash.ts";
import type { Tracking } from "../../../src/training/tracking.ts";
import type { Fault } from "../../fakes/workspace/faults.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { tracking as trackingState } from "../../fakes/workspace/tracking/state.ts";
import { newFolder, workspaceSide } from "./parts.ts";

// What goes wrong between factory and a workspace while it tracks a run. A reply that is lost after its effect must not leave two runs.

const AS = "factory-dev";
let fake: FakeWorkspace;
let folder = "";
let workspace: Workspace;
let tracking: Tracking;

beforeAll(() => {
  folder = newFolder();
});
beforeEach(async () => {
  fake = await startWorkspace({ principals: [{ name: AS }, { name: "trainer@example.com" }] });
  workspace = await signedIn();
  tracking = openTracking(workspace);
});
afterEach(() => fake?.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A service principal with a client secret, whose tokens can be renewed. */
async function signedIn(): Promise<Workspace> {
  const home = mkdtempSync(join(folder, "home-"));
  const { clientId, clientSecret } = fake.identity(AS);
  const lines = ["[dev]", `host = ${fake.url}`, `client_id = ${clientId}`, `client_secret = ${clientSecret}`, ""];
  writeFileSync(join(home, ".databrickscfg"), lines.join("\n"), { mode: 0o600 });
  const places = { config: join(home, "config"), cache: join(home, "cache") };
  return openWorkspace({ profile: "dev" }, { variables: { HOME: home }, home, places, version: "0.0.0" });
}

const state = () => trackingState.of(fake.state);

/** Everything that training does to its run. */
async function story(): Promise<void> {
  const experimentId = await tracking.ensureExperiment("claims-triage");
  const started = { experimentId, name: "r", tags: { "factory.project": "p" }, startedAt: new Date(1000) };
  const run = await tracking.createRun(started);
  await tracking.setTags(run.id, { "factory.more": "1" });
  await tracking.finishRun(run.id, "FINISHED", new Date(2000));
  expect(await tracking.run(run.id)).toMatchObject({
    status: "FINISHED",
    startedAt: 1000,
    endedAt: 2000,
    tags: { "factory.project": "p", "factory.more": "1" },
  });
  expect(state().experiments.size).toBe(1);
  expect(state().runs.size).toBe(1);
}

const MUTATING = ["workspace/mkdirs", "experiments/create", "runs/create", "runs/log-batch", "runs/update"];
const LOST: readonly Fault[] = [
  ...[500, 502, 503, 504].map((status): Fault => ({ kind: "status", when: "after", status })),
  { kind: "reset", when: "after" },
  { kind: "truncate", cut: "connection" },
];

describe.each(MUTATING)("%s", (route) => {
  test.each(LOST)("reply lost after its effect: $kind $status", async (fault) => {
    const set = fake.fault({ ...fault, route });
    await story();
    expect(set.struck).toBe(1);
  });

  test.each<Fault>([
    { kind: "status", status: 503 },
    { kind: "status", status: 429, retryAfter: 0 },
    { kind: "reset" },
    { kind: "expire" },
  ])("nothing happened: $kind $status", async (fault) => {
    const set = fake.fault({ ...fault, route });
    await story();
    expect(set.struck).toBe(1);
  });
});

test("a page instead of an answer is an error, never a success", async () => {
  const experimentId = await tracking.ensureExperiment("claims-triage");
  const run = await tracking.createRun({ experimentId, name: "r", tags: {}, startedAt: new Date() });
  for (const [route, call] of [
    ["runs/log-batch", () => tracking.setTags(run.id, { a: "b" })],
    ["runs/update", () => tracking.finishRun(run.id, "FINISHED", new Date())],
    ["runs/get", () => tracking.run(run.id)],
    ["get-by-name", () => tracking.ensureExperiment("other")],
  ] as const) {
    const set = fake.fault({ kind: "html", route, times: 0 });
    await expect(call(), route).rejects.toMatchObject({ exit: 4 });
    set.clear();
  }
});

test("who may not is told which workspace, and whom to ask", async () => {
  const experimentId = await openTracking(await signedInAs("trainer@example.com")).ensureExperiment("theirs");
  fake.fault({ kind: "status", status: 403, errorCode: "PERMISSION_DENIED", message: "no", route: "runs/create" });
  const failed = await tracking
    .createRun({ experimentId, name: "r", tags: {}, startedAt: new Date() })
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "http.403", exit: 4, hint: expect.stringContaining(fake.url) });
});

async function signedInAs(name: string): Promise<Workspace> {
  const home = mkdtempSync(join(folder, "home-"));
  writeFileSync(join(home, ".databrickscfg"), `[dev]\nhost = ${fake.url}\ntoken = ${fake.identity(name).token}\n`, {
    mode: 0o600,
  });
  const places = { config: join(home, "config"), cache: join(home, "cache") };
  return openWorkspace({ profile: "dev" }, { variables: { HOME: home }, home, places, version: "0.0.0" });
}

describe("bytes", () => {
  const MIB = 1 << 20;
  const content = Buffer.from(Array.from({ length: 11 * MIB }, (_, i) => (i * 31 + (i >> 12)) % 256));

  async function place(): Promise<{
    api: ReturnType<typeof workspaceMlflow>;
    at: string;
    path: string;
    sha256: string;
  }> {
    const api = workspaceMlflow(workspace, { sizes: { part: 5 * MIB, single: 6 * MIB, piece: 4 * MIB } });
    const { modelId } = await workspaceSide(fake, workspace)
      .logged("claims-triage", {})
      .catch(async () => {
        const experimentId = await tracking.ensureExperiment("claims-triage");
        const made = await workspace.attempt({
          method: "POST",
          path: "/api/2.0/mlflow/logged-models",
          json: { experiment_id: experimentId, name: "m" },
        });
        return { modelId: /"model_id":\s*"(m-[0-9a-f]{32})"/.exec(made.reply.text)?.[1] ?? "" };
      });
    const path = join(folder, "big.bin");
    writeFileSync(path, content);
    return { api, at: `logged-model/${modelId}/data/ü big.bin`, path, sha256: await sha256File(path) };
  }

  test("up in parts and down in ranges, as another client sees them", async () => {
    const { api, at, path, sha256 } = await place();
    let sent = 0;
    await api.artifacts.putFile(at, { path, sha256, bytes: content.length }, (more) => {
      sent += more;
    });
    expect(sent).toBe(content.length);
    expect(fake.asked("complete-multipart-upload")).toHaveLength(1);
    const root = at.slice(0, at.indexOf("/data"));
    expect(await api.artifacts.list(root, "it")).toEqual([{ path: "data/ü big.bin", bytes: content.length }]);
    expect(await api.artifacts.digest(at)).toEqual({ sha256, bytes: content.length });
    expect(fake.asked("GET /presigned").map(({ status }) => status)).toEqual([206, 206, 206]);
    await api.artifacts.putBytes(`${root}/small`, Buffer.from("s"));
    expect((await api.artifacts.read(`${root}/small`, 10))?.toString()).toBe("s");
    expect(await api.artifacts.read(`${root}/none`, 10)).toBeUndefined();
    expect(await api.artifacts.digestAt(`${root}/none`)).toBeUndefined();
    for (const { url } of fake.log.filter(({ route }) => route?.includes("presigned")))
      expect(url).not.toContain("Bearer");
  });

  test.each<Fault>([
    { kind: "status", status: 503, route: "PUT /presigned" },
    { kind: "reset", when: "after", route: "PUT /presigned" },
    { kind: "status", status: 403, errorCode: "AccessDenied", route: "PUT /presigned" },
    { kind: "status", status: 500, route: "GET /presigned" },
    { kind: "truncate", cut: "connection", route: "GET /presigned" },
    { kind: "reset", route: "GET /presigned" },
    { kind: "status", status: 403, errorCode: "AccessDenied", route: "GET /presigned" },
    { kind: "status", status: 503, route: "credentials-for-download" },
    { kind: "expire", route: "create-multipart-upload" },
  ])("$kind $status at $route", async (fault) => {
    const { api, at, path, sha256 } = await place();
    const set = fake.fault(fault);
    await api.artifacts.putFile(at, { path, sha256, bytes: content.length });
    await api.artifacts.list(at.slice(0, at.indexOf("/data")), "it");
    expect(await api.artifacts.digest(at)).toEqual({ sha256, bytes: content.length });
    expect(set.struck).toBe(1);
  });
});
