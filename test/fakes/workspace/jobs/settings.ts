import * as z from "zod";
import { badValue } from "../route.ts";

const any = z.unknown().optional();
const object = z.record(z.string(), z.unknown()).optional();
const names = <const T extends readonly string[]>(keys: T, schema: z.ZodType) =>
  Object.fromEntries(keys.map((key) => [key, schema]));

/** Kinds of tasks that the fake knows by name only. */
const OTHER_TASKS = [
  "notebook_task",
  "spark_python_task",
  "spark_jar_task",
  "sql_task",
  "dbt_task",
  "pipeline_task",
  "run_job_task",
  "condition_task",
  "for_each_task",
  "dashboard_task",
  "alert_task",
] as const;

const task = z
  .strictObject({
    task_key: z.string().regex(/^[\w-]{1,100}$/),
    description: z.string().optional(),
    depends_on: z.array(z.strictObject({ task_key: z.string(), outcome: z.string().optional() })).optional(),
    run_if: z
      .enum(["ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "AT_LEAST_ONE_FAILED", "ALL_FAILED"])
      .optional(),
    existing_cluster_id: z.string().optional(),
    new_cluster: object,
    job_cluster_key: z.string().optional(),
    environment_key: z.string().optional(),
    max_retries: z.int().optional(),
    min_retry_interval_millis: z.int().optional(),
    retry_on_timeout: z.boolean().optional(),
    timeout_seconds: z.int().optional(),
    libraries: z.array(z.unknown()).optional(),
    python_wheel_task: z
      .strictObject({
        package_name: z.string(),
        entry_point: z.string(),
        parameters: z.array(z.string()).optional(),
        named_parameters: z.record(z.string(), z.string()).optional(),
      })
      .optional(),
    email_notifications: any,
    webhook_notifications: any,
    notification_settings: any,
    health: any,
    disable_auto_optimization: z.boolean().optional(),
    ...names(OTHER_TASKS, object),
  })
  .refine(
    (each) =>
      ["python_wheel_task", ...OTHER_TASKS].filter((kind) => Reflect.get(each, kind) !== undefined).length === 1,
    "a task has exactly one kind, such as notebook_task",
  );

/** JobSettings of reference 6.1. */
export const jobSettings = z.strictObject({
  name: z.string().default("Untitled"),
  description: z.string().optional(),
  tasks: z.array(task).max(1000).default([]),
  job_clusters: z.array(z.looseObject({ job_cluster_key: z.string() })).optional(),
  environments: z.array(z.looseObject({ environment_key: z.string() })).optional(),
  parameters: z.array(z.strictObject({ name: z.string(), default: z.string() })).optional(),
  tags: z
    .record(z.string(), z.string())
    .refine((tags) => Object.keys(tags).length <= 25, "at most 25 tags")
    .optional(),
  run_as: z
    .strictObject({
      user_name: z.string().optional(),
      service_principal_name: z.string().optional(),
      group_name: z.string().optional(),
    })
    .optional(),
  max_concurrent_runs: z.int().min(0).max(1000).default(1),
  timeout_seconds: z.int().default(0),
  queue: z.strictObject({ enabled: z.boolean() }).optional(),
  edit_mode: z.enum(["UI_LOCKED", "EDITABLE"]).optional(),
  deployment: z
    .strictObject({
      kind: z.string(),
      metadata_file_path: z.string().optional(),
      deployment_id: z.string().optional(),
      version_id: z.string().optional(),
    })
    .optional(),
  format: z.string().default("MULTI_TASK"),
  performance_target: z.enum(["STANDARD", "PERFORMANCE_OPTIMIZED"]).optional(),
  ...names(
    [
      "schedule",
      "trigger",
      "triggers",
      "continuous",
      "health",
      "git_source",
      "email_notifications",
      "webhook_notifications",
      "notification_settings",
      "budget_policy_id",
      "usage_policy_id",
      "parent_path",
    ] as const,
    any,
  ),
});
export type JobSettings = z.infer<typeof jobSettings>;
export type JobTask = JobSettings["tasks"][number];

/** Tasks have names of their own, and depend on tasks that are there. */
export function checkTasks(settings: JobSettings): JobSettings {
  const keys = settings.tasks.map(({ task_key }) => task_key);
  if (new Set(keys).size < keys.length) throw badValue("Task keys must be unique within a job.");
  for (const { task_key, depends_on = [], job_cluster_key, environment_key } of settings.tasks) {
    for (const each of depends_on)
      if (!keys.includes(each.task_key) || each.task_key === task_key)
        throw badValue(`Task '${task_key}' depends on '${each.task_key}', which is no other task of the job.`);
    if (
      job_cluster_key !== undefined &&
      !settings.job_clusters?.some((each) => each.job_cluster_key === job_cluster_key)
    )
      throw badValue(`Task '${task_key}' refers to the job cluster '${job_cluster_key}', which is not defined.`);
    if (
      environment_key !== undefined &&
      !settings.environments?.some((each) => each.environment_key === environment_key)
    )
      throw badValue(`Task '${task_key}' refers to the environment '${environment_key}', which is not defined.`);
  }
  inOrder(settings.tasks);
  return settings;
}

/** Tasks after those that they depend on. */
export function inOrder(tasks: readonly JobTask[]): JobTask[] {
  const done: JobTask[] = [];
  while (done.length < tasks.length) {
    const next = tasks.find(
      (each) =>
        !done.includes(each) &&
        (each.depends_on ?? []).every(({ task_key }) => done.some((one) => one.task_key === task_key)),
    );
    if (next === undefined) throw badValue("The tasks of the job depend on each other in a circle.");
    done.push(next);
  }
  return done;
}
