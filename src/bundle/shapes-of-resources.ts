import type { Shapes } from "./shape.ts";

/** Kinds of resources that a bundle may hold. Those with a shape are checked field by field. */
export const RESOURCE_KINDS: readonly string[] =
  `alerts apps catalogs cluster_policies clusters dashboards database_catalogs database_instances experiments external_locations
  features genie_spaces instance_pools job_runs jobs mcp_services model_provider_services model_services model_serving_endpoints models
  pipelines postgres_branches postgres_endpoints postgres_projects quality_monitors registered_models schemas secret_scopes secrets
  sql_warehouses synced_database_tables vector_search_endpoints vector_search_indexes volumes`.split(/\s+/);

/** The shape of each kind that is checked. */
export const CHECKED_KINDS: Readonly<Record<string, string>> = {
  jobs: "@job",
  experiments: "@experiment",
  registered_models: "@registeredModel",
  model_serving_endpoints: "@endpoint",
  volumes: "@volume",
  schemas: "@schema",
};

const PRINCIPAL = "user_name group_name service_principal_name";
const PAUSE = "pause_status:=PAUSED|UNPAUSED";
const MAILS =
  "on_start:[str] on_success:[str] on_failure:[str] on_duration_warning_threshold_exceeded:[str] on_streaming_backlog_exceeded:[str] on_maintenance_start:[str] on_maintenance_complete:[str] no_alert_for_skipped_runs:bool";
const HOOKS =
  "on_start:[@hook] on_success:[@hook] on_failure:[@hook] on_duration_warning_threshold_exceeded:[@hook] on_streaming_backlog_exceeded:[@hook] on_maintenance_start:[@hook] on_maintenance_complete:[@hook]";
const PRIVILEGES =
  "ACCESS|ALL_PRIVILEGES|APPLY_TAG|BROWSE|CREATE|CREATE_CATALOG|CREATE_CLEAN_ROOM|CREATE_CONNECTION|CREATE_EXTERNAL_LOCATION|CREATE_EXTERNAL_TABLE|CREATE_EXTERNAL_VOLUME|CREATE_FOREIGN_CATALOG|CREATE_FOREIGN_SECURABLE|CREATE_FUNCTION|CREATE_MANAGED_STORAGE|CREATE_MATERIALIZED_VIEW|CREATE_MODEL|CREATE_PROVIDER|CREATE_RECIPIENT|CREATE_SCHEMA|CREATE_SERVICE_CREDENTIAL|CREATE_SHARE|CREATE_STORAGE_CREDENTIAL|CREATE_TABLE|CREATE_VIEW|CREATE_VOLUME|EXECUTE|EXECUTE_CLEAN_ROOM_TASK|EXTERNAL_USE_LOCATION|EXTERNAL_USE_SCHEMA|MANAGE|MANAGE_ALLOWLIST|MODIFY|MODIFY_CLEAN_ROOM|READ_FILES|READ_METADATA|READ_PRIVATE_FILES|READ_VOLUME|REFRESH|SELECT|SET_SHARE_PERMISSION|USAGE|USE_CATALOG|USE_CONNECTION|USE_MARKETPLACE_ASSETS|USE_PROVIDER|USE_RECIPIENT|USE_SCHEMA|USE_SHARE|WRITE_FILES|WRITE_PRIVATE_FILES|WRITE_VOLUME";
const WORKLOADS = "CPU|CPU_MEDIUM|CPU_LARGE|GPU_SMALL|GPU_MEDIUM|GPU_LARGE|GPU_XLARGE|GPU_XLARGE_8|MULTIGPU_MEDIUM";
const PROVISIONED =
  "min_provisioned_concurrency:int max_provisioned_concurrency:int min_provisioned_throughput:int max_provisioned_throughput:int provisioned_model_units:int burst_scaling_enabled:bool";
const TASK_KINDS =
  "notebook_task:@notebookTask python_wheel_task:@wheelTask spark_python_task:@pythonTask spark_jar_task:@jarTask spark_submit_task:any sql_task:@sqlTask dbt_task:any dbt_platform_task:any pipeline_task:@pipelineTask run_job_task:@runJobTask condition_task:@conditionTask for_each_task:@forEachTask dashboard_task:any alert_task:any clean_rooms_notebook_task:any gen_ai_compute_task:any power_bi_task:any ai_runtime_task:any python_operator_task:any";

/** Fields of a task that say what it does: each task has one of them. */
export const TASK_KIND_FIELDS: readonly string[] = TASK_KINDS.split(" ").map((word) => word.split(":")[0] ?? "");

/** A table of our own, after the field lists that the official package accepts. What is rare is known by name only (`any`). */
export const RESOURCE_SHAPES: Shapes = {
  job: `name description tasks:[@task] job_clusters:[@jobCluster] environments:[@jobEnvironment] environment_variables:any parameters:[@parameter] tags:{str} run_as:@runAs schedule:@schedule trigger:@trigger triggers:any continuous:@continuous queue:@queue max_concurrent_runs:int timeout_seconds:int health:@health git_source:@gitSource email_notifications:@mails webhook_notifications:@hooks notification_settings:@notifications budget_policy_id usage_policy_id performance_target:=PERFORMANCE_OPTIMIZED|STANDARD parent_path duration_target permissions:[@jobPermission] lifecycle:@lifecycle`,
  task: `task_key! description depends_on:[@dependsOn] run_if:=ALL_SUCCESS|ALL_DONE|NONE_FAILED|AT_LEAST_ONE_SUCCESS|ALL_FAILED|AT_LEAST_ONE_FAILED existing_cluster_id new_cluster:@cluster job_cluster_key environment_key environment_variables_key compute:any libraries:[@library] max_retries:int min_retry_interval_millis:int retry_on_timeout:bool timeout_seconds:int disable_auto_optimization:bool disabled:bool health:@health email_notifications:@mails webhook_notifications:@hooks notification_settings:@taskNotifications ${TASK_KINDS}`,
  dependsOn: "task_key! outcome",
  notebookTask: "notebook_path! base_parameters:{str} source:=WORKSPACE|GIT warehouse_id",
  wheelTask: "package_name! entry_point! parameters:[str] named_parameters:{str}",
  pythonTask: "python_file! parameters:[str] source:=WORKSPACE|GIT",
  jarTask: "main_class_name! parameters:[str] jar_uri run_as_repl:bool",
  sqlTask: "warehouse_id! file:@sqlFile query:any alert:any dashboard:any parameters:{str}",
  sqlFile: "path! source:=WORKSPACE|GIT",
  pipelineTask:
    "pipeline_id! full_refresh:bool full_refresh_selection:[str] refresh_selection:[str] refresh_flow_selection:[str] reset_checkpoint_selection:[str] parameters:{str}",
  runJobTask: "job_id!:int job_parameters:{str} pipeline_params:any",
  conditionTask: "op!:=EQUAL_TO|GREATER_THAN|GREATER_THAN_OR_EQUAL|LESS_THAN|LESS_THAN_OR_EQUAL|NOT_EQUAL left! right!",
  forEachTask: "inputs! task!:@task concurrency:int",
  library: "whl jar egg requirements pypi:@package maven:@maven cran:@package",
  package: "package! repo",
  maven: "coordinates! repo exclusions:[str]",
  jobCluster: "job_cluster_key! new_cluster:@cluster serverless_compute_id",
  cluster:
    "spark_version node_type_id driver_node_type_id num_workers:int autoscale:@autoscale policy_id apply_policy_default_values:bool data_security_mode:=NONE|SINGLE_USER|USER_ISOLATION|LEGACY_TABLE_ACL|LEGACY_PASSTHROUGH|LEGACY_SINGLE_USER|LEGACY_SINGLE_USER_STANDARD|DATA_SECURITY_MODE_STANDARD|DATA_SECURITY_MODE_DEDICATED|DATA_SECURITY_MODE_AUTO single_user_name runtime_engine:=NULL|STANDARD|PHOTON spark_conf:{str} spark_env_vars:{str} custom_tags:{str} init_scripts:any cluster_log_conf:any autotermination_minutes:int cluster_name instance_pool_id driver_instance_pool_id enable_elastic_disk:bool enable_local_disk_encryption:bool aws_attributes:any azure_attributes:any gcp_attributes:any docker_image:any ssh_public_keys:[str] is_single_node:bool use_ml_runtime:bool kind:=CLASSIC_PREVIEW workload_type:any dependency_mode:any driver_node_type_flexibility:any worker_node_type_flexibility:any remote_disk_throughput:int total_initial_remote_disk_size:int",
  autoscale: "min_workers:int max_workers:int",
  jobEnvironment: "environment_key! spec:@environment",
  environment:
    "environment_version client dependencies:[str] java_dependencies:[str] base_environment project_environment",
  parameter: "name! default!",
  runAs: PRINCIPAL,
  schedule: `quartz_cron_expression! timezone_id! ${PAUSE} sql_condition:any`,
  trigger: `${PAUSE} file_arrival:@fileArrival periodic:@periodic table_update:@tableUpdate model:@modelTrigger sql_condition:any`,
  fileArrival: "url! min_time_between_triggers_seconds:int wait_after_last_change_seconds:int",
  periodic: "interval!:int unit!:=MINUTES|HOURS|DAYS|WEEKS",
  tableUpdate:
    "table_names:[str] condition:=ANY_UPDATED|ALL_UPDATED min_time_between_triggers_seconds:int wait_after_last_change_seconds:int",
  modelTrigger:
    "condition!:=MODEL_CREATED|MODEL_VERSION_READY|MODEL_ALIAS_SET securable_name aliases:[str] min_time_between_triggers_seconds:int wait_after_last_change_seconds:int",
  continuous: `${PAUSE} task_retry_mode:=NEVER|ON_FAILURE maintenance_window:any`,
  queue: "enabled!:bool",
  health: "rules:[@healthRule]",
  healthRule:
    "metric!:=RUN_DURATION_SECONDS|STREAMING_BACKLOG_BYTES|STREAMING_BACKLOG_RECORDS|STREAMING_BACKLOG_SECONDS|STREAMING_BACKLOG_FILES op!:=GREATER_THAN value!:int",
  gitSource:
    "git_url! git_provider!:=gitHub|bitbucketCloud|azureDevOpsServices|gitHubEnterprise|bitbucketServer|gitLab|gitLabEnterpriseEdition|awsCodeCommit git_branch git_tag git_commit sparse_checkout:any",
  mails: MAILS,
  hooks: HOOKS,
  hook: "id!",
  notifications: "no_alert_for_skipped_runs:bool no_alert_for_canceled_runs:bool",
  taskNotifications: "no_alert_for_skipped_runs:bool no_alert_for_canceled_runs:bool alert_on_last_attempt:bool",
  jobPermission: `level!:=CAN_VIEW|CAN_MANAGE_RUN|CAN_MANAGE|IS_OWNER ${PRINCIPAL}`,
  lifecycle: "prevent_destroy:bool",

  experiment:
    "name! artifact_location tags:[@tag] permissions:[@experimentPermission] trace_location:any lifecycle:@lifecycle",
  tag: "key value",
  experimentPermission: `level!:=CAN_READ|CAN_EDIT|CAN_MANAGE ${PRINCIPAL}`,

  registeredModel:
    "name catalog_name schema_name comment storage_location grants:[@grant] aliases:any owner full_name metastore_id created_at:int created_by updated_at:int updated_by lifecycle:@lifecycle",
  grant: `principal privileges:[=${PRIVILEGES}]`,

  endpoint:
    "name! config:@endpointConfig ai_gateway:@gateway tags:[@endpointTag] permissions:[@endpointPermission] rate_limits:[@rateLimit] route_optimized:bool budget_policy_id description email_notifications:@endpointMails telemetry_config:any lifecycle:@lifecycle",
  endpointConfig:
    "served_entities:[@servedEntity] served_models:[@servedModel] traffic_config:@traffic auto_capture_config:@inferenceTable",
  servedEntity: `name entity_name entity_version workload_size workload_type:=${WORKLOADS} scale_to_zero_enabled:bool environment_vars:{str} instance_profile_arn external_model:any ${PROVISIONED}`,
  servedModel: `name model_name! model_version! scale_to_zero_enabled!:bool workload_size workload_type:=${WORKLOADS} environment_vars:{str} instance_profile_arn ${PROVISIONED}`,
  traffic: "routes:[@route]",
  route: "served_entity_name served_model_name traffic_percentage!:int",
  inferenceTable: "enabled:bool catalog_name schema_name table_name_prefix",
  gateway:
    "rate_limits:[@gatewayLimit] usage_tracking_config:@usageTracking inference_table_config:@inferenceTable guardrails:any fallback_config:@fallback",
  gatewayLimit:
    "renewal_period!:=minute calls:int tokens:int key:=user|endpoint|user_group|service_principal principal",
  usageTracking: "enabled:bool",
  fallback: "enabled!:bool",
  rateLimit: "calls!:int renewal_period!:=minute key:=user|endpoint",
  endpointTag: "key! value",
  endpointMails: "on_update_success:[str] on_update_failure:[str]",
  endpointPermission: `level!:=CAN_VIEW|CAN_QUERY|CAN_MANAGE ${PRINCIPAL}`,

  volume:
    "name! catalog_name! schema_name! volume_type:=MANAGED|EXTERNAL storage_location comment grants:[@grant] lifecycle:@lifecycle",
  schema:
    "name! catalog_name! comment storage_root properties:{str} custom_max_retention_hours:int grants:[@grant] lifecycle:@lifecycle",
};
