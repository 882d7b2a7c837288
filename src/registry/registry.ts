import type { Report } from "../lib/progress.ts";
import type { DeploymentApprovals } from "./deployment.ts";
import type { FetchedModel, ModelSource } from "./model-files.ts";

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

/** A registered model without its versions. */
export interface RegisteredModel {
  name: string;
  tags: Readonly<Record<string, string>>;
  /** Version by alias. */
  aliases: Readonly<Record<string, string>>;
  /** Id of the job that runs for each new version; absent: there is none. */
  deploymentJob?: string;
}

/** What a reader asks of a model registry. */
export interface ModelReader {
  /** The version behind an alias; undefined when the model or the alias does not exist. */
  versionByAlias(model: string, alias: string): Promise<ModelVersion | undefined>;
  version(model: string, version: string): Promise<ModelVersion | undefined>;
  /** Where the bytes of a version are. Its methods throw exit 4, code `version.missing`, when there is no such version. */
  filesOf(version: Pick<ModelVersion, "model" | "version">): ModelSource;
}

/** What factory asks of a model registry. */
export interface ModelRegistry extends ModelReader {
  /** Address for messages, without credentials. */
  readonly place: string;
  /** Whether its server is on this machine. */
  readonly local: boolean;
  /**
   * Whether nobody can change the bytes of a version once it is there. Then number, creation time and recorded digest say what they
   * are, and they are not read again before `champion` moves.
   */
  readonly bytesAreFixed: boolean;
  /** Absent: it knows no deployment jobs. */
  readonly deployments?: DeploymentApprovals;
  /** Tags and aliases of a model; undefined when there is none. `there`: it is known to be, so that more can be asked for at once. */
  model(model: string, there?: boolean): Promise<RegisteredModel | undefined>;
  /**
   * Every version, highest number first; empty when there is no such model. `tagsOf`: whose tags are needed (default: all), for a
   * registry that has to be asked for those of each version; the others may come without. `known`: one that was there and whose tags
   * are needed, which such a registry need not wait for the list to ask for.
   */
  versions(model: string, tagsOf?: (version: string) => boolean, known?: string): Promise<readonly ModelVersion[]>;
  /**
   * The rights that we lack for a new version, its aliases and its evidence, each as the statement that gives it; empty when none is
   * known to be missing. `there`: whether the registered model is there.
   */
  missingRights(model: string, there: boolean): Promise<readonly string[]>;

  /** Makes the model when it is not there. Safe to repeat. */
  ensureModel(model: string): Promise<void>;
  /**
   * Registers a run's logged model, tags inside the create: where it is, or, in a registry that keeps bytes of its own, from the folder of
   * `bytes`, which holds exactly its files. After a lost reply it finds what it made.
   */
  createFromRun(
    request: VersionRequest & { runId: string; loggedModelId: string },
    bytes?: { folder: string; files: FetchedModel["files"]; report: Report },
  ): Promise<ModelVersion>;
  /**
   * A version with bytes of its own, uploaded from a folder that holds exactly `files`; tags inside the create. After a lost
   * reply it finds what it made. Does not verify what arrived: the caller reads it back. `seen`: what the caller, who is alone
   * here, knows of the target, so that it is not looked for again: whether an earlier try may have left something, and
   * whether the registered model is there.
   */
  createFromFolder(
    request: VersionRequest & {
      folder: string;
      files: FetchedModel["files"];
      seen?: { earlierTry: boolean; model: boolean };
    },
    report: Report,
  ): Promise<ModelVersion>;
  /** Removes a version that carries no alias; only for one that this very command has just made. */
  removeVersion(model: string, version: string): Promise<void>;
  setAlias(model: string, alias: string, version: string): Promise<void>;
  /** One that is not there is no error. */
  removeAlias(model: string, alias: string): Promise<void>;
  setModelTags(model: string, tags: Readonly<Record<string, string>>): Promise<void>;
  setVersionTags(model: string, version: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** The server's clock against ours, from the header Date of its last reply; undefined when nothing was asked or it sent none. */
  clock(): { serverMs: number; localMs: number } | undefined;
}

export interface VersionRequest {
  model: string;
  tags: Readonly<Record<string, string>>;
  /** A version with number above this whose tag `factory.digest` is the same is the one that an earlier, cut-off try made. */
  above: number;
  /** Name of the environment, for the place of bytes. */
  environment: string;
}

/** The name under which an environment registers a model. */
export function registeredName(catalog: string, modelName: string): string {
  return `${catalog}.${modelName}`;
}

/** Tags that factory sets on versions and models; their meaning is in docs/tags.md. Where one is believed, docs/tags.md says why. */
export const VERSION_TAGS = {
  digest: "factory.digest",
  evidence: "factory.evidence",
  commit: "factory.commit",
  run: "factory.run",
  source: "factory.source",
  bundle: "factory.bundle",
} as const;
export const MODEL_TAGS = {
  ledgerHead: "factory.ledger.head",
  policy: "factory.policy",
  rollback: "factory.rollback",
} as const;
