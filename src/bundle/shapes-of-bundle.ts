import type { Shapes } from "./shape.ts";

const PRINCIPAL = "user_name group_name service_principal_name";
const WORKSPACE =
  "host profile auth_type account_id workspace_id root_path file_path artifact_path state_path resource_path client_id azure_client_id azure_environment azure_login_app_id azure_tenant_id azure_use_msi:bool azure_workspace_resource_id google_service_account experimental_is_unified_host:bool";
/** What both the root and a target may hold. */
const COMMON =
  "workspace:@workspace artifacts:{@artifact} permissions:[@permission] run_as:@runAs presets:@presets sync:@sync resources:{any}";

/** Everything in a bundle but its resources. */
export const BUNDLE_SHAPES: Shapes = {
  root: `bundle:@bundle include:[str] variables:{@variable} targets:{@target} environments:{@target} scripts:{@script} python:any experimental:any ${COMMON}`,
  included: `bundle:@bundle include:[str] variables:{@variable} targets:{@target} environments:{@target} scripts:{@script} python:any experimental:any ${COMMON}`,
  bundle:
    "name uuid engine:=direct|terraform databricks_cli_version deployment:@deployment git:@git cluster_id compute_id",
  deployment: "fail_on_active_runs:bool lock:@lock",
  lock: "enabled:bool force:bool",
  git: "branch origin_url",
  workspace: WORKSPACE,
  variable: "description default:any type:=complex lookup:@lookup",
  lookup:
    "alert cluster cluster_policy dashboard instance_pool job metastore notification_destination pipeline query service_principal warehouse",
  target: `default:bool mode:=development|production bundle:@bundle git:@git cluster_id compute_id variables:{any} ${COMMON}`,
  artifact: "type:=whl|jar path build files:[@artifactFile] executable:=bash|sh|cmd dynamic_version:bool",
  artifactFile: "source!",
  permission: `level!:=CAN_MANAGE|CAN_VIEW|CAN_RUN ${PRINCIPAL}`,
  runAs: "user_name service_principal_name",
  presets:
    "name_prefix tags:{str} trigger_pause_status:=PAUSED|UNPAUSED jobs_max_concurrent_runs:int pipelines_development:bool source_linked_deployment:bool artifacts_dynamic_version:bool",
  sync: "include:[str] exclude:[str] paths:[str]",
  script: "content! env:{str}",
};
