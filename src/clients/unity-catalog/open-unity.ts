import type { ObjectStore } from "../../evidence/object-store.ts";
import type { ModelRegistry } from "../../registry/registry.ts";
import { volumeObjects } from "../databricks/volume-store.ts";
import type { Workspace } from "../databricks/workspace.ts";
import type { PythonWorld } from "./python.ts";
import { unityRegistry } from "./registry.ts";

/** What an environment of kind unity-catalog is, besides its workspace. */
export interface UnityPlace {
  catalog: string;
  /** Schema and volume in that catalog; absent: `factory_evidence` in the schema of the model. */
  volume: string | undefined;
}

/** The model registry of an environment. Asks the workspace nothing yet. */
export function openUnityRegistry(place: UnityPlace, world: PythonWorld): ModelRegistry {
  return unityRegistry(world, (model) => volumeOf(place, model.slice(model.indexOf(".") + 1)));
}

/** Where that environment keeps evidence and bundles of a model. */
export function openUnityObjects(place: UnityPlace, workspace: Workspace, modelName: string): ObjectStore {
  return volumeObjects(workspace, volumeOf(place, modelName));
}

/** Full name of the volume for a model, by its name in factory.yaml. */
export function volumeOf({ catalog, volume }: UnityPlace, modelName: string): string {
  return `${catalog}.${volume ?? `${modelName.split(".")[0] ?? ""}.factory_evidence`}`;
}
