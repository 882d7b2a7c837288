import { randomBytes } from "node:crypto";
import { demandLevel } from "../acl.ts";
import { type Ask, badValue, notFound } from "../route.ts";
import { defineSection, type State } from "../state.ts";

export interface Experiment {
  experiment_id: string;
  name: string;
  artifact_location: string;
  lifecycle_stage: "active" | "deleted";
  creation_time: number;
  last_update_time: number;
  tags: Map<string, string>;
}

export interface Metric {
  key: string;
  value: number;
  timestamp: number;
  step: number;
  run_id?: string;
  model_id?: string;
  dataset_name?: string;
  dataset_digest?: string;
}

export interface DatasetInput {
  tags: { key: string; value: string }[];
  dataset: { name: string; digest: string; source_type: string; source: string; schema?: string; profile?: string };
}

export interface Run {
  run_id: string;
  run_name: string;
  experiment_id: string;
  user_id: string;
  status: string;
  start_time: number;
  end_time?: number;
  artifact_uri: string;
  lifecycle_stage: "active" | "deleted";
  tags: Map<string, string>;
  params: Map<string, string>;
  /** Every value ever logged, in order. */
  metrics: Metric[];
  datasets: DatasetInput[];
  inputs: { model_id: string }[];
  outputs: { model_id: string; step: number }[];
  /** Of `runs/log-model`. */
  models: string[];
}

export interface LoggedModel {
  model_id: string;
  experiment_id: string;
  name: string;
  model_type?: string;
  source_run_id?: string;
  status: string;
  status_message?: string;
  artifact_uri: string;
  creation_timestamp_ms: number;
  last_updated_timestamp_ms: number;
  creator_id: string;
  params: Map<string, string>;
  tags: Map<string, string>;
  metrics: Metric[];
}

export interface StoredFile {
  digest: string;
  size: number;
}

/** What a presigned URL allows, until when. */
export interface Signature {
  /** Whose files: `runs/<id>` or `logged_models/<id>`. */
  owner: string;
  path: string;
  does: "GET" | "PUT" | "PART" | "ABORT";
  expires: number;
  upload?: string;
  part?: number;
}

export interface Upload {
  owner: string;
  path: string;
  parts: Map<number, { digest: string; etag: string; size: number }>;
}

export const tracking = defineSection("tracking", () => ({
  experiments: new Map<string, Experiment>(),
  runs: new Map<string, Run>(),
  models: new Map<string, LoggedModel>(),
  /** `runs/<id>` or `logged_models/<id>` → path → file. */
  files: new Map<string, Map<string, StoredFile>>(),
  signatures: new Map<string, Signature>(),
  uploads: new Map<string, Upload>(),
  /** Of Azure: file → block id or position → digest. */
  staged: new Map<string, Map<string, string>>(),
  nextExperiment: 1_000_000_000_000_001,
  /** Settings that tests change. */
  settings: {
    /** Whether the Files API serves `/WorkspaceInternal/Mlflow/Artifacts/…` to the SDK; else 403, and clients use presigned URLs. */
    filesApi: false,
    /** AWS_PRESIGNED_URL, GCP_SIGNED_URL, AZURE_SAS_URI or AZURE_ADLS_GEN2_SAS_URI. */
    credentialType: "AWS_PRESIGNED_URL",
    /** Headers that an upload must carry, as the credentials say. */
    uploadHeaders: [] as { name: string; value: string }[],
    presignedSeconds: 900,
    credentialsPage: 2000,
    listPage: 1000,
    /** Every part but the last, as S3 demands. */
    minPartBytes: 5 * 1024 * 1024,
    /** Of parameters and tags in log-batch, as its docs say. */
    batchValueChars: 250,
  },
}));

export function experimentOf(state: State, id: string): Experiment {
  const experiment = tracking.of(state).experiments.get(id);
  if (experiment === undefined) throw notFound(`Node ID ${id} does not exist.`);
  return experiment;
}

/** A run that the asking principal may read or edit. */
export function runOf(ask: Ask, id: string, level: "CAN_READ" | "CAN_EDIT" = "CAN_READ"): Run {
  const run = tracking.of(ask.state).runs.get(id);
  if (run === undefined) throw notFound(`Run '${id}' not found.`);
  demandLevel(ask, "experiments", run.experiment_id, level);
  return run;
}

export function activeRunOf(ask: Ask, id: string): Run {
  const run = runOf(ask, id, "CAN_EDIT");
  if (run.lifecycle_stage !== "active")
    throw badValue(`The run ${id} must be in the 'active' state. Current state is ${run.lifecycle_stage}.`);
  return run;
}

export function modelOf(ask: Ask, id: string, level: "CAN_READ" | "CAN_EDIT" = "CAN_READ"): LoggedModel {
  const model = tracking.of(ask.state).models.get(id);
  if (model === undefined) throw notFound(`Logged model with ID '${id}' not found.`);
  demandLevel(ask, "experiments", model.experiment_id, level);
  return model;
}

export function filesOf(state: State, owner: string): Map<string, StoredFile> {
  const { files } = tracking.of(state);
  const present = files.get(owner);
  if (present !== undefined) return present;
  const made = new Map<string, StoredFile>();
  files.set(owner, made);
  return made;
}

/** 32 hexadecimal digits, as ids of runs have. */
export const newId = (): string => randomBytes(16).toString("hex");

/** The value that counts: of the highest step, then the latest time, then the largest. */
export function latestMetrics(metrics: readonly Metric[]): Metric[] {
  const latest = new Map<string, Metric>();
  for (const metric of metrics) {
    const before = latest.get(metric.key);
    if (before === undefined || compare(metric, before) >= 0) latest.set(metric.key, metric);
  }
  return [...latest.values()];
}

const compare = (a: Metric, b: Metric): number => a.step - b.step || a.timestamp - b.timestamp || a.value - b.value;
