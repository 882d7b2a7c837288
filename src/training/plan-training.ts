import { usageError } from "../lib/error.ts";
import type { Environment } from "../policy/policy.ts";
import { commandWords, type Project } from "../project/project.ts";
import { environmentsOf, type OpenProject } from "../project/read-project.ts";

/** Tags that factory sets on a run of its own; their meaning is in docs/tags.md. */
export const RUN_TAGS = {
  project: "factory.project",
  commit: "factory.commit",
  dirty: "factory.dirty",
  lock: "factory.lock",
  seed: "factory.seed",
  command: "factory.command",
  /** With the path of the file behind it. */
  data: "factory.data.",
  mlflowCommit: "mlflow.source.git.commit",
} as const;

export interface DataDigest {
  /** Relative to the project. */
  path: string;
  sha256: string;
}

export interface TrainingFacts {
  commit: string | undefined;
  dirty: boolean;
  lock: string | undefined;
  data: readonly DataDigest[];
  /** Name of the job that trains; absent: the command of factory.yaml does. */
  job?: string | undefined;
}

export interface TrainingPlan {
  environment: Environment;
  /** Name of the experiment: the project's name. */
  experiment: string;
  runName: string;
  argv: readonly string[];
  tags: Readonly<Record<string, string>>;
  /** What the command sees besides the usual. */
  variables: Readonly<Record<string, string>>;
  data: readonly DataDigest[];
  timeoutMs: number;
}

const DEFAULT_TIMEOUT_SECONDS = 4 * 3600;

/** The environment that training writes to. Only the first one takes new runs: later ones receive what was tested there. */
export function trainingEnvironment(open: OpenProject, named: string | undefined): Environment {
  return onlyFirst(
    open,
    named,
    (first, other) => `training happens in ${first} only: ${other} receives what was tested before it`,
    "factory train --env",
  );
}

/** The environment that a working tree is deployed to: later ones receive what was checked. */
export function workingTreeEnvironment(open: OpenProject, named: string): Environment {
  return onlyFirst(
    open,
    named,
    (first, other) => `a working tree is deployed to ${first} only: ${other} receives what was checked`,
    "factory deploy --working-tree --env",
  );
}

function onlyFirst(
  open: OpenProject,
  named: string | undefined,
  refusal: (first: string, other: string) => string,
  command: string,
): Environment {
  const all = environmentsOf(open);
  const first = all[0];
  if (first === undefined) throw usageError("environment.none", "the policy has no environment");
  if (named === undefined || named === first.name) return first;
  const known = all.some((each) => each.name === named);
  throw usageError(
    "environment.train",
    known
      ? refusal(first.name, named)
      : `no environment is called ${named} (there are: ${all.map((each) => each.name).join(", ")})`,
    `${command} ${first.name}`,
  );
}

/** The files whose digests stand for the training data: those that factory.yaml names, else the data gate's source if it is a file. */
export function dataPaths(project: Project, isFile: (path: string) => boolean): string[] {
  if (project.model.data !== undefined) return [...new Set(project.model.data)];
  const source = project.gates.data?.source;
  return source !== undefined && isFile(source) ? [source] : [];
}

/** The experiment that holds a project's training runs: the project's name, so that it is the same in the server's own screens. */
export function experimentName(project: Project): string {
  return project.project;
}

/** What `factory train` will do. Pure. */
export function planTraining(
  project: Project,
  environment: Environment,
  facts: TrainingFacts,
  now: Date,
): TrainingPlan {
  const argv = facts.job === undefined ? commandWords(project.model.train) : ["job", facts.job];
  if (argv.length === 0) throw usageError("train.command", "model.train in factory.yaml holds no command");
  // A job is told its run and nothing else: a seed of ours would be a claim about what it did not get.
  const seed = facts.job === undefined ? project.model.seed : undefined;
  const tags: Record<string, string> = {
    [RUN_TAGS.project]: project.project,
    [RUN_TAGS.dirty]: String(facts.dirty),
    [RUN_TAGS.command]: commandTag(argv),
    ...(facts.commit !== undefined && { [RUN_TAGS.commit]: facts.commit, [RUN_TAGS.mlflowCommit]: facts.commit }),
    ...(facts.lock !== undefined && { [RUN_TAGS.lock]: facts.lock }),
    ...(seed !== undefined && { [RUN_TAGS.seed]: String(seed) }),
    ...Object.fromEntries(facts.data.map((file) => [dataTag(file.path), file.sha256])),
  };
  return {
    environment,
    experiment: experimentName(project),
    runName: `${project.project} ${now.toISOString().slice(0, 16).replace("T", " ")}`,
    argv,
    tags,
    variables: seed === undefined ? {} : { FACTORY_SEED: String(seed) },
    data: facts.data,
    timeoutMs: (project.model.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000,
  };
}

/** A command as a tag holds it. */
export function commandTag(argv: readonly string[]): string {
  return argv.join(" ").slice(0, 5000);
}

/** The tag for a data file. Characters that MLflow does not take in a key become `_`. */
export function dataTag(path: string): string {
  return `${RUN_TAGS.data}${path.replace(/[^A-Za-z0-9_./ -]/g, "_")}`.slice(0, 240);
}
