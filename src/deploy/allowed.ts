import type { Shapes } from "../bundle/shape.ts";
import { RESOURCE_SHAPES } from "../bundle/shapes-of-resources.ts";

/** Kinds of resources that may come along outside of the first environment, by shape. */
export const ALLOWED_KINDS: Readonly<Record<string, string>> = {
  jobs: "@job",
  experiments: "@experiment",
  registered_models: "@registeredModel",
  schemas: "@schema",
  volumes: "@volume",
  dashboards: "@dashboard",
};

/** Blocks in which nothing is said about code: every field that is known may stand there. */
const WITHOUT_CODE = [
  ..."dependsOn conditionTask autoscale parameter runAs fileArrival periodic tableUpdate modelTrigger continuous queue".split(
    " ",
  ),
  ..."health healthRule mails hooks hook notifications taskNotifications jobPermission lifecycle".split(" "),
  ..."experiment tag experimentPermission grant volume schema".split(" "),
];

/**
 * What may stand in a bundle outside of the first environment: a closed list. A field that is not here is refused, a new one of the
 * platform too, until somebody has seen that it brings no code. `#` marks a value with a rule of its own (`rules-of-values.ts`).
 */
export const ALLOWED_SHAPES: Shapes = {
  ...Object.fromEntries(WITHOUT_CODE.map((name) => [name, RESOURCE_SHAPES[name] ?? ""])),
  job: "name description tasks:[@task] job_clusters:[@jobCluster] environments:[@jobEnvironment] parameters:[@parameter] tags:{str} run_as:@runAs schedule:@schedule trigger:@trigger continuous:@continuous queue:@queue max_concurrent_runs timeout_seconds health:@health git_source:#commit email_notifications:@mails webhook_notifications:@hooks notification_settings:@notifications budget_policy_id usage_policy_id performance_target parent_path duration_target permissions:[@jobPermission] lifecycle:@lifecycle",
  schedule: "quartz_cron_expression timezone_id pause_status",
  trigger: "pause_status file_arrival:@fileArrival periodic:@periodic table_update:@tableUpdate model:@modelTrigger",
  task: "task_key description depends_on:[@dependsOn] run_if new_cluster:@cluster job_cluster_key environment_key compute:@compute libraries:[@library] max_retries min_retry_interval_millis retry_on_timeout timeout_seconds disable_auto_optimization disabled health:@health email_notifications:@mails webhook_notifications:@hooks notification_settings:@taskNotifications notebook_task:@notebookTask python_wheel_task:@wheelTask spark_python_task:@pythonTask sql_task:@sqlTask run_job_task:@runJobTask condition_task:@conditionTask for_each_task:@forEachTask",
  compute: "hardware_accelerator",
  notebookTask: "notebook_path:#code base_parameters:{str} source warehouse_id",
  wheelTask: "package_name:#ownPackage entry_point:#name parameters:[str] named_parameters:{str}",
  pythonTask: "python_file:#code parameters:[str] source",
  sqlTask: "warehouse_id file:@sqlFile parameters:{str}",
  sqlFile: "path:#code source",
  runJobTask: "job_id:#ownJob job_parameters:{str} pipeline_params:any",
  forEachTask: "inputs task:@task concurrency",
  // Wheels, and what stands beside them, are looked at wherever they stand: `only-checked.ts`.
  library: "whl:any jar:any egg:any requirements:any pypi:@pypi maven:@maven cran:@cran",
  pypi: "package:#requirement",
  maven: "coordinates:#coordinates exclusions:[str]",
  cran: "package:#name",
  jobCluster: "job_cluster_key new_cluster:@cluster",
  // policy_id and instance_pool_id stay: what they bring is set by the workspace's admins, and a pool's images start only with docker_image.
  cluster:
    "spark_version:#version node_type_id driver_node_type_id num_workers autoscale:@autoscale policy_id apply_policy_default_values data_security_mode single_user_name runtime_engine spark_conf:#sparkConf custom_tags:{str} cluster_log_conf:any autotermination_minutes cluster_name instance_pool_id driver_instance_pool_id enable_elastic_disk enable_local_disk_encryption aws_attributes:any azure_attributes:any gcp_attributes:any is_single_node use_ml_runtime kind workload_type:any driver_node_type_flexibility:any worker_node_type_flexibility:any remote_disk_throughput total_initial_remote_disk_size",
  jobEnvironment: "environment_key spec:@environment",
  environment: "environment_version:#version client:#version dependencies:any java_dependencies:any",
  registeredModel: "name catalog_name schema_name comment storage_location grants:[@grant] owner lifecycle:@lifecycle",
  dashboard:
    "display_name warehouse_id file_path:#file serialized_dashboard:any dataset_catalog dataset_schema embed_credentials parent_path permissions:any lifecycle:@lifecycle",
};

export interface Refusal {
  why: string;
  fix: string;
}

const OTHER_TASK: Refusal = {
  why: "a task that runs what was not checked",
  fix: "a task with a file of the bundle or an entry point of the wheel: notebook_task, spark_python_task, sql_task, python_wheel_task",
};
const OTHERS_QUERY: Refusal = {
  why: "what others may change in the workspace",
  fix: "sql_task.file with a file of the bundle",
};
const VARIABLES: Refusal = {
  why: "variables that can lead Python, pip and Java to other code",
  fix: "parameters of the task, or the cluster policy of the workspace's admins",
};

/** Why some of what is not on the list is not, by shape and field. */
export const REFUSED_FIELDS: Readonly<Record<string, Refusal>> = {
  "job.environment_variables": VARIABLES,
  "task.environment_variables_key": VARIABLES,
  "task.existing_cluster_id": {
    why: "a cluster that others set up and change",
    fix: "environment_key, job_cluster_key or new_cluster",
  },
  ...Object.fromEntries(
    "spark_jar_task spark_submit_task dbt_task dbt_platform_task pipeline_task dashboard_task alert_task clean_rooms_notebook_task gen_ai_compute_task power_bi_task ai_runtime_task python_operator_task"
      .split(" ")
      .map((field) => [`task.${field}`, OTHER_TASK]),
  ),
  "sqlTask.query": OTHERS_QUERY,
  "sqlTask.alert": OTHERS_QUERY,
  "sqlTask.dashboard": OTHERS_QUERY,
  "pypi.repo": {
    why: "a package index that the bundle chooses",
    fix: "leave repo out: packages come from the index that the workspace is set up with",
  },
  "cluster.init_scripts": {
    why: "scripts that run on each machine and were not checked",
    fix: "put what they do into the wheel, or let the workspace's admins set them in a cluster policy",
  },
  "cluster.docker_image": {
    why: "an image that was not checked",
    fix: "a runtime of Databricks (spark_version), and libraries from the wheel",
  },
  "cluster.spark_env_vars": VARIABLES,
  "cluster.ssh_public_keys": { why: "keys to log in with and run anything", fix: "leave it out" },
  "environment.base_environment": {
    why: "an environment that is defined elsewhere",
    fix: "environment_version and dependencies",
  },
  "environment.project_environment": {
    why: "an environment that is defined elsewhere",
    fix: "environment_version and dependencies",
  },
  "registeredModel.aliases": {
    why: "aliases that a deployment would move",
    fix: "leave aliases out: factory release moves champion",
  },
};
/** A library's own index is the same in each language. */
export const SAME_REASON: Readonly<Record<string, string>> = { "maven.repo": "pypi.repo", "cran.repo": "pypi.repo" };

export const REFUSED_KINDS: Readonly<Record<string, Refusal>> = {
  model_serving_endpoints: {
    why: "it would say what an endpoint serves, and factory release alone does",
    fix: "leave the endpoint out: factory release and factory rollback move what it serves",
  },
};
export const OTHER_KIND: Refusal = {
  why: "a kind of resource that is not checked for what it runs",
  fix: `keep it in a bundle of its own: here only ${Object.keys(ALLOWED_KINDS).join(", ")}`,
};
export const OTHER_FIELD: Refusal = {
  why: "not known to bring no code",
  fix: "leave it out, or keep it to the first environment: targets.<first>.resources",
};
/** Settings beside the resources, and their reason. */
export const REFUSED_SETTINGS: readonly { path: readonly string[]; refusal: Refusal }[] = [
  ...[["bundle", "cluster_id"], ["bundle", "compute_id"], ["cluster_id"], ["compute_id"]].map((path) => ({
    path,
    refusal: {
      why: "every task would run on a cluster that others set up and change",
      fix: "environment_key, job_cluster_key or new_cluster of the task",
    },
  })),
  {
    path: ["presets", "source_linked_deployment"],
    refusal: { why: "jobs would run files that are not uploaded", fix: "leave it out" },
  },
];
