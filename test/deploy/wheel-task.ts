import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";
import type { PlayedTask } from "../fakes/workspace/jobs/play.ts";
import type { TaskEnd } from "../fakes/workspace/jobs/state.ts";
import type { State } from "../fakes/workspace/state.ts";
import { workspaceTree } from "../fakes/workspace/workspace-files.ts";
import { root } from "../support/paths.ts";

const COMPUTE = join(root, "test/deploy/compute");
const environment = z.object({ spec: z.object({ dependencies: z.array(z.string()) }) });

export interface Compute {
  /** Has the packages that the wheel asks for. */
  python: string;
  /** Where Delta tables lie, by their names. */
  tables: Readonly<Record<string, string>>;
  variables: Readonly<Record<string, string>>;
  /** The workspace, and the identity that the job runs as. */
  host: string;
  token: string;
}

/** What a task of a job ran, for the test to look at. */
export interface TaskCall {
  key: string;
  /** The wheel's place in the workspace, and its digest. */
  wheel: string;
  digest: string;
  parameters: string[];
}

/**
 * Runs a Python wheel task as compute does: the wheel that lies in the workspace, its entry point with the named parameters, in an
 * empty folder, as the identity of the job.
 */
export async function runWheelTask(
  { run, task, parameters }: PlayedTask,
  state: State,
  compute: Compute,
  calls: TaskCall[],
): Promise<TaskEnd> {
  const asked = task.python_wheel_task;
  if (asked === undefined) throw new Error(`task ${task.task_key} is none of a Python wheel`);
  const [at] = (run.settings.environments ?? []).filter((each) => each.environment_key === task.environment_key);
  const [wheel = "", ...others] = environment.parse(at).spec.dependencies;
  const file = workspaceTree.of(state).objects.get(wheel.replace(/^\/Workspace/, ""));
  if (file?.digest === undefined || others.length > 0) throw new Error(`no such wheel in the workspace: ${wheel}`);
  const folder = mkdtempSync(join(tmpdir(), "factory-compute-"));
  try {
    const local = join(folder, basename(wheel));
    writeFileSync(local, state.blobs.get(file.digest));
    const given = Object.entries(asked.named_parameters ?? {}).map(([name, value]) => {
      const filled = value.replace(/\{\{job\.parameters\.(\w+)\}\}/g, (_, key: string) => parameters[key] ?? "");
      return `--${name}=${filled}`;
    });
    calls.push({ key: task.task_key, wheel, digest: file.digest, parameters: given });
    const cwd = mkdtempSync(join(folder, "work-"));
    const argv = [join(COMPUTE, "wheel_task.py"), local, asked.package_name, asked.entry_point, ...given];
    await promisify(execFile)(compute.python, argv, {
      cwd,
      env: {
        ...compute.variables,
        HOME: cwd,
        PYTHONPATH: COMPUTE,
        PYTHONDONTWRITEBYTECODE: "1",
        FACTORY_TEST_TABLES: JSON.stringify(compute.tables),
        MLFLOW_TRACKING_URI: "databricks",
        MLFLOW_DISABLE_TELEMETRY: "true",
        DATABRICKS_HOST: compute.host,
        DATABRICKS_TOKEN: compute.token,
        DATABRICKS_CONFIG_FILE: devNull,
      },
    });
    return { result: "SUCCESS" };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
