import type { ObjectStore } from "../../evidence/object-store.ts";
import type { ModelRegistry } from "../../registry/registry.ts";
import { workspaceMlflow } from "../databricks/tracking-api.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { mlflowObjects } from "../mlflow/object-store.ts";
import { workspaceRegistry } from "./registry.ts";

/** The registry that a workspace has of its own; evidence is kept as artifacts of runs, as on an MLflow server. */
export function openWorkspaceRegistry(
  workspace: Workspace,
  signal: AbortSignal,
): { registry: ModelRegistry; objects(environment: string, modelName: string): ObjectStore } {
  const api = workspaceMlflow(workspace, { signal });
  return {
    registry: workspaceRegistry(api),
    objects: (environment, modelName) => mlflowObjects(api, environment, modelName),
  };
}
