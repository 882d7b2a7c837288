import { usageError } from "../../lib/error.ts";
import { problemOf } from "../../lib/http.ts";
import { remake } from "./make-once.ts";
import { accept, attempt, find, type MlflowApi, refusal } from "./mlflow-api.ts";
import { experiment, experimentId } from "./schemas.ts";

/** The id of an experiment that is not deleted; undefined when there is none of that name. Throws exit 2 for a deleted one. */
export async function findExperiment(api: MlflowApi, name: string): Promise<string | undefined> {
  const query = { experiment_name: name };
  const found = await find(api, { method: "GET", path: "experiments/get-by-name", query }, experiment);
  if (found === undefined) return undefined;
  if (found.experiment.lifecycle_stage !== "active")
    throw usageError(
      "experiment.deleted",
      `the experiment ${name} was deleted on the server`,
      "restore it there: mlflow experiments restore",
    );
  return found.experiment.experiment_id;
}

/** The id of an experiment, which is created when it is not there. The server keeps names unique, so a second one cannot be made. */
export async function ensureExperiment(api: MlflowApi, name: string): Promise<string> {
  const look = () => findExperiment(api, name);
  const make = async (): Promise<string> => {
    await api.experiments.prepare(name);
    const { request, reply } = await attempt(api, { method: "POST", path: "experiments/create", json: { name } });
    // Someone else made it in between.
    if (problemOf(reply).code !== "RESOURCE_ALREADY_EXISTS") return accept(request, reply, experimentId).experiment_id;
    const made = await look();
    if (made === undefined) throw refusal(request, reply);
    return made;
  };
  return (await look()) ?? remake(api, look, make);
}

/** The id of the experiment of one environment and model, where factory keeps bytes, evidence and bundles; made when it is not there. */
export function ensureOwnExperiment(api: MlflowApi, environment: string, modelName: string): Promise<string> {
  return known(api, api.experiments.own(environment, modelName), (name) => ensureExperiment(api, name));
}

/** The same experiment, or undefined when it is not there. */
export function findOwnExperiment(api: MlflowApi, environment: string, modelName: string): Promise<string | undefined> {
  return known(api, api.experiments.own(environment, modelName), (name) => findExperiment(api, name));
}

/** Asks the server once: an experiment keeps its id. */
async function known<T extends string | undefined>(
  api: MlflowApi,
  name: string,
  ask: (name: string) => Promise<T>,
): Promise<T | string> {
  const id = api.ownExperiments.get(name) ?? (await ask(name));
  if (id !== undefined) api.ownExperiments.set(name, id);
  return id;
}
