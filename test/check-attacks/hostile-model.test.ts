import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fetchCandidate } from "../../src/check/candidate.ts";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { manifestOfFolder } from "../../src/registry/model-files.ts";
import { childEnvironment } from "../../src/training/child-environment.ts";

const RUN = "a".repeat(32);
/** What the server says; each test sets its own. */
const says = { files: ["MLmodel"], run: RUN, started: 1e12 };
let server: Server;
let uri = "";
const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-hostile-")));

beforeAll(async () => {
  const info = {
    model_id: "m",
    name: "m",
    artifact_uri: "mlflow-artifacts:/1/m",
    source_run_id: RUN,
    status: "LOGGED_MODEL_READY",
  };
  server = createServer((request, reply) => {
    const url = request.url ?? "";
    const json = (value: unknown) => reply.setHeader("content-type", "application/json").end(JSON.stringify(value));
    if (url.includes("runs/get"))
      json({
        run: { info: { run_id: says.run, experiment_id: "1", status: "FINISHED", start_time: says.started }, data: {} },
      });
    else if (url.includes("logged-models/search")) json({ models: [{ info }] });
    else if (url.includes("logged-models/")) json({ model: { info } });
    else if (url.includes("artifacts?"))
      json({ files: says.files.map((path) => ({ path, is_dir: false, file_size: 1 })) });
    // The longer the name, the earlier the bytes: a temporary name that is also a file's is met in its worst order.
    else setTimeout(() => reply.end(url), url.endsWith(".part") ? 0 : 150);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  uri = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "";
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

let number = 0;
function fetchIt(some: Partial<typeof says>) {
  Object.assign(says, { files: ["MLmodel"], run: RUN, started: 1e12 }, some);
  return fetchCandidate(openMlflow(uri, { variables: {} }).tracking, RUN, join(root, String(++number)), () => {});
}

describe("a hostile tracking server", () => {
  it.each<[string, Partial<typeof says>, string]>([
    ["a path that climbs", { files: ["MLmodel", "../../x"] }, "mlflow.artifacts"],
    ["a name that no disk takes", { files: ["MLmodel", "x".repeat(300)] }, "model.path"],
    ["a path that no disk takes", { files: ["MLmodel", `${"x/".repeat(600)}x`] }, "mlflow.artifacts"],
    ["a file that is also a folder", { files: ["MLmodel", "a", "a/b"] }, "mlflow.artifacts"],
    ["another run than the one asked for", { run: "b".repeat(32) }, "run.other"],
    ["a time outside the calendar", { started: 1e18 }, "run.time"],
  ])("%s ends in a clear refusal", async (_, some, code) => {
    await expect(fetchIt(some)).rejects.toMatchObject({ code, exit: 4 });
    expect(existsSync(join(root, "x"))).toBe(false);
  });
  it("a file named like the temporary one of another does not take its place", async () => {
    const { folder, model } = await fetchIt({ files: ["MLmodel", "MLmodel.part"] });
    expect((await manifestOfFolder(folder)).digest).toBe(model.digest);
    expect(readFileSync(join(folder, "MLmodel"), "utf8")).toMatch(/MLmodel$/);
  });
});

describe("environment of project code", () => {
  it.each([
    ["HTTPS_PROXY", "http://user:hunter2@proxy:80"],
    ["HTTPS_PROXY", "user:hunter2@proxy:80"],
    ["UV_INDEX", "inner=https://user:hunter2@host/simple"],
    ["PIP_EXTRA_INDEX_URL", "https://a/simple user:hunter2@host"],
  ])("%s=%s does not reach it", (name, value) => {
    expect(JSON.stringify(childEnvironment({ [name]: value }))).not.toContain("hunter2");
  });
  it.each([
    ["HTTPS_PROXY", "http://proxy:80"],
    ["HTTPS_PROXY", "proxy:80"],
    ["PATH", "/usr/bin:/opt/a@b/bin"],
    ["UV_FIND_LINKS", "/srv/wheels,https://host/x@1"],
  ])("%s=%s does", (name, value) => {
    expect(childEnvironment({ [name]: value })[name]).toBe(value);
  });
});
