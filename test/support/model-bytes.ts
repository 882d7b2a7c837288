import * as z from "zod";
import { sendHttp } from "../../src/lib/http.ts";
import { putArtifact } from "./small-line.ts";

// What anyone can do to the bytes of a version who reaches the MLflow server.

/** The folder of a version below the server's root of artifacts. */
async function folderOf(uri: string, model: string, version: string): Promise<string> {
  const asked = `${uri}/api/2.0/mlflow/model-versions/get-download-uri?${new URLSearchParams({ name: model, version })}`;
  const reply = await sendHttp({ method: "GET", url: asked });
  return z.object({ artifact_uri: z.string() }).parse(reply.json).artifact_uri.replace("mlflow-artifacts:/", "");
}

/** Replaces one file. */
export async function writeModelFile(uri: string, model: string, version: string, path: string, body: string) {
  await putArtifact(uri, `${await folderOf(uri, model, version)}/${path}`, body);
}

/** Deletes all files, as `mlflow gc` may. */
export async function removeModelFiles(uri: string, model: string, version: string): Promise<void> {
  const url = `${uri}/api/2.0/mlflow-artifacts/artifacts/${await folderOf(uri, model, version)}`;
  const reply = await sendHttp({ method: "DELETE", url });
  if (reply.status !== 200) throw new Error(`DELETE ${url}: ${reply.status} ${reply.text}`);
}
