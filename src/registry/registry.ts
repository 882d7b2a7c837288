import type { ModelSource } from "./model-files.ts";

/** One version of a registered model, as its registry tells it. */
export interface ModelVersion {
  /** Full name in that registry: `<catalog>.<model name>`. */
  model: string;
  /** The registry's own number, as text. */
  version: string;
  /** Milliseconds since 1970, by the registry's clock. */
  createdAt: number;
  runId: string | undefined;
  tags: Readonly<Record<string, string>>;
  aliases: readonly string[];
}

/** What factory asks of a model registry. */
export interface ModelRegistry {
  /** The version behind an alias; undefined when the model or the alias does not exist. */
  versionByAlias(model: string, alias: string): Promise<ModelVersion | undefined>;
  version(model: string, version: string): Promise<ModelVersion | undefined>;
  /** Where the bytes of a version are. */
  filesOf(version: ModelVersion): ModelSource;
}

/** The name under which an environment registers a model. */
export function registeredName(catalog: string, modelName: string): string {
  return `${catalog}.${modelName}`;
}
