import type { ModelSource } from "../registry/model-files.ts";

export interface Run {
  id: string;
  experimentId: string;
  name: string;
  status: "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";
  /** Milliseconds since 1970. */
  startedAt: number;
  endedAt: number | undefined;
  metrics: Readonly<Record<string, number>>;
  params: Readonly<Record<string, string>>;
  tags: Readonly<Record<string, string>>;
}

export interface LoggedModel {
  id: string;
  name: string;
  runId: string;
  status: string;
}

export interface NewRun {
  experimentId: string;
  name: string;
  tags: Readonly<Record<string, string>>;
  startedAt: Date;
}

/** For a process that uses MLflow's own client. */
export interface ClientAccess {
  /** Environment variables. */
  variables: Readonly<Record<string, string>>;
  /** Values among them that must never be shown. */
  secrets: readonly string[];
  /** When they cease to hold, where that is known: they cannot be renewed in a process that runs. */
  until?: Date;
}

/** What factory asks of an experiment tracker. */
export interface Tracking {
  /** Address of the server without credentials. */
  readonly uri: string;
  /** The name by which it knows a project's experiment. */
  experimentName(name: string): string;
  /** What MLflow's own client needs to reach this tracker, and nothing else. Credentials in it are fresh when they are asked for. */
  clientAccess(): Promise<ClientAccess>;
  /** The experiment's id; it is created when it is not there. */
  ensureExperiment(name: string): Promise<string>;
  createRun(run: NewRun): Promise<Run>;
  /** Undefined when the server knows no such run. */
  run(id: string): Promise<Run | undefined>;
  setTags(runId: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** Closes a run. Works after an interruption too, within seconds. */
  finishRun(runId: string, status: "FINISHED" | "FAILED" | "KILLED", at: Date): Promise<void>;
  /** The newest run of an experiment that carries the tag; undefined without experiment or run. */
  latestRun(experiment: string, tag: { key: string; value: string }): Promise<Run | undefined>;
  /** The earliest run, by its start, that carries the tag; undefined without experiment or run. */
  firstRun(experiment: string, tag: { key: string; value: string }): Promise<Run | undefined>;
  /** The models that the run logged. */
  loggedModels(run: Run): Promise<readonly LoggedModel[]>;
  filesOf(model: LoggedModel): ModelSource;
}
