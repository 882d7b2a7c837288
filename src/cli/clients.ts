import type { DataEngine } from "../data/engine.ts";
import type { Warehouse } from "../data/warehouse.ts";
import type { BundleCli } from "../deploy/bundle-cli.ts";
import type { Machine } from "../doctor/doctor.ts";
import type { WorkspaceSight } from "../doctor/workspace-sight.ts";
import type { ObjectStore } from "../evidence/object-store.ts";
import type { LedgerPlace, LedgerStore } from "../ledger/store.ts";
import type { Report } from "../lib/progress.ts";
import type { LocalHost } from "../local/server.ts";
import type { History } from "../people/history.ts";
import type { Environment, WorkspaceAddress } from "../policy/policy.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import type { ServingEndpoint } from "../release/serving.ts";
import type { SandboxHost } from "../sandbox/record.ts";
import type { TrainingJobs } from "../training/job-run.ts";
import type { Uv } from "../training/project-environment.ts";
import type { Tracking } from "../training/tracking.ts";

/**
 * The outside systems that commands may reach, each through an interface that a feature declares. Nothing is opened before a
 * command first asks for it.
 */
export interface Clients {
  /** Where a system tells what it waits for, when whoever opens it gives it no report. */
  hearFrom(report: Report): void;
  /** This machine, as the doctor sees it. */
  machine(): Promise<Machine>;
  /** A Databricks workspace, as the doctor sees it. */
  workspaceSight(address: WorkspaceAddress): Promise<WorkspaceSight>;
  /** This machine, as the place of a local MLflow server. */
  localHost(): Promise<LocalHost>;
  /** This machine, as the place of the rehearsal workspace. */
  sandboxHost(): Promise<SandboxHost>;
  /** A uv program, installed when there is none, and how it reaches the package index. Throws exit 4 when it cannot be had. */
  uv(report: Report): Promise<Uv>;
  /** The experiment tracker of an environment. */
  tracking(environment: Environment): Promise<Tracking>;
  /** The model registry of an environment. */
  registry(environment: Environment): Promise<ModelRegistry>;
  /** Where an environment keeps evidence and bundles of a model; `model` is its name in factory.yaml, without the catalog. */
  objects(environment: Environment, model: string): Promise<ObjectStore>;
  /** What answers requests with versions of a registered model (full name). Throws exit 2 where the environment has no such thing. */
  serving(environment: Environment, endpoint: string, model: string): Promise<ServingEndpoint>;
  /** The official program that deploys bundles, logged in to the workspace of an environment. Throws exit 2 when it cannot be used. */
  bundleCli(environment: Environment): Promise<BundleCli>;
  /** The jobs of an environment's workspace. Throws exit 2 when it has none. */
  trainingJobs(environment: Environment): Promise<TrainingJobs>;
  /** Where the lines of a project's ledger are kept. */
  ledger(place: LedgerPlace): Promise<LedgerStore>;
  /** The version control history of a folder. */
  history(folder: string): Promise<History>;
  /** An empty query engine that spills into this folder of its own; the caller closes it. */
  dataEngine(tempFolder: string): Promise<DataEngine & { close(): void }>;
  /** A session on the SQL warehouse of an environment, opened at its first statement; the caller closes it. Throws exit 2 when policy names none. */
  warehouse(environment: Environment, report: Report): Promise<Warehouse>;
}
