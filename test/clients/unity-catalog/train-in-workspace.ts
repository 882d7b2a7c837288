import { openTracking } from "../../../src/clients/databricks/tracking.ts";
import { sha256 } from "../../../src/lib/hash.ts";
import { sendHttp } from "../../../src/lib/http.ts";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { SIGNATURE, type SmallLine, type TrainedRun } from "../../support/small-line.ts";
import { openFake } from "../databricks-tracking/parts.ts";

/** A run with a small logged model in a line's first environment, which is a workspace; another text, another digest. */
export async function trainInWorkspace(
  fake: FakeWorkspace,
  line: Pick<SmallLine, "project" | "root" | "commit">,
  text: string,
): Promise<TrainedRun> {
  const trainer = "factory-dev";
  const tracking = openTracking(await openFake(fake, line.root, trainer));
  const experimentId = await tracking.ensureExperiment(line.project);
  const { id: run } = await tracking.createRun({
    experimentId,
    name: "train",
    startedAt: new Date(),
    tags: {
      "factory.project": line.project,
      "factory.dirty": "false",
      "factory.commit": line.commit(),
      "factory.lock": "d".repeat(64),
    },
  });
  const headers = { authorization: `Bearer ${fake.identity(trainer).token}` };
  const call = async (method: "POST" | "PATCH", path: string, json: unknown): Promise<string> => {
    const reply = await sendHttp({ method, url: `${fake.url}/api/2.0/mlflow/${path}`, headers, json });
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.text;
  };
  const made = await call("POST", "logged-models", {
    experiment_id: experimentId,
    name: "model",
    source_run_id: run,
  });
  const loggedModel = /"model_id":"(m-[0-9a-f]{32})"/.exec(made)?.[1] ?? "";
  const files = {
    MLmodel: `flavors:\n  python_function:\n    loader_module: tiny\n${SIGNATURE}`,
    "data/weights": text,
  };
  for (const [path, body] of Object.entries(files)) {
    const given = await call("POST", `logged-models/${loggedModel}/artifacts/credentials-for-upload`, {
      paths: [path],
    });
    const url = /"signed_uri":"([^"]+)"/.exec(given)?.[1] ?? "";
    const reply = await sendHttp({ method: "PUT", url, body: Buffer.from(body) });
    if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.text}`);
  }
  await call("PATCH", `logged-models/${loggedModel}`, { model_id: loggedModel, status: "LOGGED_MODEL_READY" });
  await call("POST", "runs/outputs", { run_id: run, models: [{ model_id: loggedModel, step: 0 }] });
  await tracking.finishRun(run, "FINISHED", new Date());
  const manifest = Object.entries(files)
    .map(([path, body]) => `${sha256(body)}  ${path}\n`)
    .join("");
  return { run, loggedModel, manifest, digest: sha256(manifest) };
}
