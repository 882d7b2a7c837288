import type { HttpReply } from "../../lib/http.ts";
import type { Exchange, ExperimentNames, MlflowApi } from "../mlflow/mlflow-api.ts";
import { managedArtifacts, type Sizes } from "./artifacts.ts";
import { workspaceFailure } from "./replies.ts";
import { nothing } from "./tracking-schemas.ts";
import type { Workspace, WorkspaceCall } from "./workspace.ts";

/**
 * MLflow's REST API inside a workspace: the same calls as a plain server's, sent as the workspace's identity. Experiments are
 * files of the workspace, and bytes go through signed addresses of its storage.
 */
export function workspaceMlflow(
  workspace: Workspace,
  { signal, sizes }: { signal?: AbortSignal; sizes?: Partial<Sizes> } = {},
): MlflowApi {
  const exchange: MlflowApi["exchange"] = async (call) => {
    const { path, ...rest } = call;
    const asked: WorkspaceCall = { ...rest, path: `/api/2.0/mlflow/${path}` };
    const { request, reply } = await workspace.attempt(asked);
    const failure = (failed: HttpReply) => workspaceFailure(request, failed, workspace.label);
    return { request: { method: request.method, url: request.url, failure }, reply: orEmpty(reply) };
  };
  return {
    uri: workspace.host,
    label: workspace.label,
    signal,
    exchange,
    clock: () => workspace.clock(),
    artifacts: managedArtifacts(workspace, exchange, { signal, sizes }),
    experiments: experimentNames(workspace),
    ownExperiments: new Map(),
  };
}

/** Some calls answer a success with an empty body or a plain OK. */
function orEmpty(reply: HttpReply): Exchange["reply"] {
  const silent = reply.json === undefined && /^\s*(?:OK)?\s*$/.test(reply.text);
  return reply.status >= 200 && reply.status < 300 && (silent || reply.json === "") ? { ...reply, json: {} } : reply;
}

/** Training in one folder and what factory keeps in another, so that no project's name meets an environment's. */
const TRAINING = "/Shared/factory";
const OWN = "/Shared/factory-store";

function experimentNames(workspace: Workspace): ExperimentNames {
  return {
    training: (project) => `${TRAINING}/${project}`,
    own: (environment, modelName) => `${OWN}/${environment}/${modelName}`,
    async prepare(name) {
      const json = { path: name.slice(0, name.lastIndexOf("/")) };
      const call: WorkspaceCall = { method: "POST", path: "/api/2.0/workspace/mkdirs", json, idempotent: true };
      await workspace.demand(call, nothing);
    },
  };
}
