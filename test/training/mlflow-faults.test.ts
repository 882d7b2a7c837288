import { afterEach, expect, test } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { type Answer, type FakeServer, fakeServer, json } from "../fakes/http-server.ts";

const servers: FakeServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});
async function serve(answer: Answer): Promise<FakeServer> {
  const server = await fakeServer(answer);
  servers.push(server);
  return server;
}
const open = (server: FakeServer, variables: Record<string, string> = {}) => openMlflow(server.uri, { variables });
const newRun = { experimentId: "1", name: "r", tags: {}, startedAt: new Date(1000) };

/** Remembers runs by their tag of the attempt, as a tracking server would; loses replies after acting when told. */
function runStore(lose: (creations: number) => boolean) {
  const runs: { id: string; mark: string }[] = [];
  let creations = 0;
  const body = (run: { id: string }) => ({
    info: { run_id: run.id, experiment_id: "1", status: "RUNNING", start_time: 1000 },
  });
  const answer: Answer = (request, response) => {
    if (request.url.endsWith("/runs/create")) {
      creations++;
      const mark = /"key":"factory\.attempt","value":"([^"]+)"/.exec(request.body)?.[1] ?? "";
      const run = { id: String(creations).repeat(32), mark };
      runs.push(run);
      if (lose(creations)) response.destroy();
      else json(response, 200, { run: body(run) });
    } else {
      const found = runs.filter((run) => request.body.includes(run.mark));
      json(response, 200, found.length === 0 ? {} : { runs: found.map(body) });
    }
  };
  return { runs, answer };
}

test("a run whose reply was lost is found, not made twice", async () => {
  const store = runStore((creations) => creations === 1);
  const run = await open(await serve(store.answer)).tracking.createRun(newRun);
  expect(store.runs.map((each) => each.id)).toEqual([run.id]);
});

test("a run that was never made is made", async () => {
  const store = runStore(() => false);
  const server = await serve((request, response, count) =>
    count === 1 ? response.destroy() : store.answer(request, response, count),
  );
  await open(server).tracking.createRun(newRun);
  expect(store.runs).toHaveLength(1);
  expect(server.seen.map((request) => request.url.split("/").at(-1))).toEqual(["create", "search", "create"]);
});

test.each([
  ["QueuePool limit of size 5 overflow 10 reached", 2],
  ["(sqlite3.OperationalError) database is locked", 2],
  ["UNIQUE constraint failed: tags.key", 2],
  ["Parameter value is too long", 1],
])("a 400 that says %j is asked %i times", async (message, times) => {
  const server = await serve((_, response, count) =>
    count === 1 ? json(response, 400, { error_code: "BAD_REQUEST", message }) : json(response, 200, {}),
  );
  const tags = open(server).tracking.setTags("1".repeat(32), { a: "b" });
  if (times === 1)
    await expect(tags).rejects.toMatchObject({ code: "http.400", message: expect.stringContaining(message) });
  else await tags;
  expect(server.seen).toHaveLength(times);
});

test("a 404 that MLflow did not write is an error, not an absence", async () => {
  const server = await serve((_, response) =>
    response.writeHead(404, { "content-type": "text/html" }).end("<h1>Not Found</h1>"),
  );
  await expect(open(server).registry.version("m", "1")).rejects.toMatchObject({ code: "http.404", exit: 4 });
});

test("a server that is something else is said to be", async () => {
  const server = await serve((_, response) => json(response, 200, { hello: "world" }));
  await expect(open(server).tracking.run("1".repeat(32))).rejects.toMatchObject({
    code: "mlflow.form",
    hint: expect.stringContaining("MLflow"),
  });
});

test("credentials go into the header, and nowhere else", async () => {
  const server = await serve((_, response) => json(response, 401, { error_code: "UNAUTHENTICATED", message: "no" }));
  const ask = (variables: Record<string, string>) =>
    open(server, variables)
      .registry.version("m", "1")
      .catch((error: Error) => error.message);
  const message = await ask({ MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "pässword" });
  await ask({ MLFLOW_TRACKING_TOKEN: "tok-12345678" });
  await ask({ MLFLOW_TRACKING_USERNAME: "me" });
  expect(server.seen.map((request) => request.headers.authorization)).toEqual([
    `Basic ${Buffer.from("me:pässword").toString("base64")}`,
    "Bearer tok-12345678",
    undefined,
  ]);
  expect(message).not.toContain("pässword");
  expect(() => openMlflow("http://me:secret@host", { variables: {} })).toThrow(/must not carry credentials/);
  expect(() => openMlflow("file:///tmp", { variables: {} })).toThrow(/not the http/);
});

test.each(["../../etc", "..", "a/b", ""])("a listed folder called %j is refused", async (name) => {
  const server = await serve((request, response) =>
    request.url.includes("logged-models")
      ? json(response, 200, { model: { info: { model_id: "m-1", artifact_uri: "mlflow-artifacts:/1/models/m-1" } } })
      : json(response, 200, { files: [{ path: name, is_dir: true }] }),
  );
  const files = open(server).tracking.filesOf({ id: "m-1", name: "m", runId: "1", status: "READY" }).files();
  await expect(files).rejects.toMatchObject({ code: "mlflow.artifacts", exit: 4 });
});

test("bytes that the server does not hand out are said so", async () => {
  const server = await serve((_, response) =>
    json(response, 200, { model: { info: { model_id: "m-1", artifact_uri: "s3://bucket/secret-path" } } }),
  );
  const files = open(server).tracking.filesOf({ id: "m-1", name: "m", runId: "1", status: "READY" }).files();
  await expect(files).rejects.toMatchObject({ message: expect.stringContaining("s3:…") });
});
