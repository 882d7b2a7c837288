import { outsideError } from "../../lib/error.ts";
import type { RegisteredModel } from "../../registry/registry.ts";
import { remake } from "./make-once.ts";
import { accept, attempt, find, type MlflowApi } from "./mlflow-api.ts";
import { registeredModel } from "./schemas.ts";

const PROMPT_TAG = "mlflow.prompt.is_prompt";

/** Tags and aliases of a registered model; undefined when there is none. Throws exit 4 when the name belongs to a prompt. */
export async function findModel(api: MlflowApi, name: string): Promise<RegisteredModel | undefined> {
  const found = await find(api, { method: "GET", path: "registered-models/get", query: { name } }, registeredModel);
  if (found === undefined) return undefined;
  const model = found.registered_model;
  if (model.name !== name)
    throw outsideError(
      "mlflow.form",
      `the MLflow server was asked for the model ${name} and answered with ${JSON.stringify(model.name.slice(0, 100))}`,
    );
  if (model.tags[PROMPT_TAG] === "true")
    throw outsideError(
      "model.prompt",
      `${name} is the name of a prompt on the MLflow server`,
      "prompts and models share their names: rename the prompt, or model.name in factory.yaml",
    );
  return model;
}

/** Makes the registered model when it is not there. Safe to repeat: the server keeps names unique. */
export async function ensureModel(api: MlflowApi, name: string): Promise<RegisteredModel> {
  return (await findModel(api, name)) ?? makeModel(api, name);
}

/** Makes a registered model that was not there a moment ago. When somebody else has made it meanwhile, it is that one. */
export function makeModel(api: MlflowApi, name: string): Promise<RegisteredModel> {
  const look = () => findModel(api, name);
  const make = async (): Promise<RegisteredModel> => {
    const { request, reply } = await attempt(api, {
      method: "POST",
      path: "registered-models/create",
      json: { name },
    });
    // Someone else made it in between.
    const there = reply.status === 400 ? await look() : undefined;
    return there ?? accept(request, reply, registeredModel).registered_model;
  };
  return remake(api, look, make);
}
