import { devNull } from "node:os";
import * as z from "zod";
import { inParallel } from "../../lib/parallel.ts";
import type { ClientAccess, Run, Tracking } from "../../training/tracking.ts";
import { find, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { type LoggedModelBody, oneLoggedModel } from "../mlflow/schemas.ts";
import { mlflowTracking } from "../mlflow/tracking.ts";
import type { Sizes } from "./artifacts.ts";
import { workspaceMlflow } from "./tracking-api.ts";
import { runOutputs } from "./tracking-schemas.ts";
import type { Workspace } from "./workspace.ts";

const AT_ONCE = 4;

/** Experiments, runs and logged models of a workspace. */
export function openTracking(workspace: Workspace, signal?: AbortSignal, sizes?: Partial<Sizes>): Tracking {
  const api = workspaceMlflow(workspace, { ...(signal && { signal }), ...(sizes && { sizes }) });
  return mlflowTracking(api, { clientAccess: () => clientAccess(workspace), modelsOf: outputsOf });
}

/**
 * A run names the models that it made. To search for them by the run is not asked of the workspace: MLflow's own client says that
 * Databricks does not take that filter.
 */
async function outputsOf(api: MlflowApi, run: Run): Promise<LoggedModelBody[]> {
  const found = await find(api, { method: "GET", path: "runs/get", query: { run_id: run.id } }, runOutputs);
  const ids = new Set(found?.run.outputs.model_outputs.map((each) => each.model_id));
  const models = await inParallel([...ids], AT_ONCE, (id) =>
    find(api, { method: "GET", path: `logged-models/${encodeURIComponent(id)}` }, oneLoggedModel),
  );
  return models.flatMap((each) => (each === undefined ? [] : [each.model]));
}

const claims = z.object({ exp: z.number().int().positive().max(8e12) });

/** When a token of OAuth says that it ends. A personal one says nothing. */
function endOf(token: string): Date | undefined {
  const body = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token)?.[1];
  if (body === undefined) return undefined;
  try {
    const { exp } = claims.parse(JSON.parse(Buffer.from(body, "base64url").toString()));
    return new Date(exp * 1000);
  } catch {
    return undefined;
  }
}

/** MLflow's client says this address in its error when a program registers a model all the same. */
const NO_REGISTRY = "none-while-training://models-are-registered-by-factory-register";

/**
 * A token of the workspace and its address, and no way to any other credential: no profile is read, and none of the variables by
 * which the official clients sign in is inherited. A token of OAuth holds for an hour at most.
 */
async function clientAccess(workspace: Workspace): Promise<ClientAccess> {
  const token = await workspace.token();
  const until = endOf(token);
  return {
    ...(until !== undefined && { until }),
    variables: {
      MLFLOW_TRACKING_URI: "databricks",
      MLFLOW_REGISTRY_URI: NO_REGISTRY,
      DATABRICKS_HOST: workspace.host,
      DATABRICKS_TOKEN: token,
      DATABRICKS_AUTH_TYPE: "pat",
      DATABRICKS_CONFIG_FILE: devNull,
    },
    secrets: [token],
  };
}
