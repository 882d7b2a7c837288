/** The job of a workspace that trains, as `train` needs it. */
export interface TrainingJobs {
  /** Origin of the workspace. */
  host: string;
  /** Jobs of exactly this name that the identity may see. */
  named(name: string): Promise<readonly FoundJob[]>;
  /** One job by its id; undefined when there is none. */
  job(id: number): Promise<FoundJob | undefined>;
  /** The short name under which bundles of mode development are deployed for this identity. */
  shortName(): Promise<string>;
  /** Starts a run. The same `once` again gives the same run. */
  start(job: number, parameters: Readonly<Record<string, string>>, once: string): Promise<number>;
  look(run: number): Promise<JobRun>;
  /** Why a run failed, in its own words; undefined when it says nothing. */
  failure(run: JobRun): Promise<string | undefined>;
  cancel(run: number): Promise<void>;
}

export interface FoundJob {
  id: number;
  name: string;
  /** Names of its parameters. */
  parameters: readonly string[];
  /** Deployed by a bundle. */
  fromBundle: boolean;
  /** What its tasks are told of the commit that they were made from. */
  commit: string | undefined;
}

export interface JobRun {
  id: number;
  url: string | undefined;
  state: "waiting" | "running" | "succeeded" | "failed" | "cancelled";
  /** Of a failure: whether the workspace says that it is its own. */
  fault: "training" | "workspace" | undefined;
  /** As the workspace says it: `RUN_EXECUTION_ERROR: Task train failed`. */
  says: string;
  tasks: readonly { key: string; run: number; says: string; over: boolean }[];
}
