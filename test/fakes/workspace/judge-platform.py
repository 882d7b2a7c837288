"""databricks-sdk and MLflow's client against serving, jobs, permissions and the workspace registry. Prints one JSON object."""

import json
import sys
import tempfile
from datetime import timedelta

import mlflow
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import iam, jobs, ml, serving

sdk = WorkspaceClient(config=Config(retry_timeout_seconds=5))
seen = {}


def refused(call):
    try:
        call()
    except DatabricksError as error:
        return error.error_code
    except mlflow.exceptions.MlflowException as error:
        return error.error_code
    return "accepted"


def registry():
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks")
    client = mlflow.MlflowClient()
    experiment = mlflow.create_experiment("/Shared/platform")
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run() as run:
        mlflow.log_text("flavors: {}\n", "model/MLmodel")
        mlflow.log_text("weights", "model/data/weights.txt")
    client.create_registered_model("triage", tags={"team": "claims"}, description="d")
    seen["again"] = refused(lambda: client.create_registered_model("triage"))
    source = f"{run.info.artifact_uri}/model"
    first = client.create_model_version("triage", source, run.info.run_id, tags={"k": "v"})
    second = client.create_model_version("triage", source, run.info.run_id)
    seen["versions"] = [[first.version, first.status], [second.version, second.status]]
    client.transition_model_version_stage("triage", "1", "Production")
    seen["latest"] = [[each.version, each.current_stage] for each in client.get_latest_versions("triage")]
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts("models:/triage/1", dst_path=folder)
        seen["weights"] = open(f"{path}/data/weights.txt").read()
    seen["alias"] = refused(lambda: sdk.api_client.do("POST", "/api/2.0/mlflow/registered-models/alias", body={}))
    got = sdk.model_registry.get_model("triage").registered_model_databricks
    seen["model"] = [got.name, got.permission_level.value, got.tags[0].key, len(got.latest_versions)]
    sdk.model_registry.create_transition_request("triage", "2", "Production", comment="evidence: https://e")
    listed = list(sdk.model_registry.list_transition_requests("triage", "2"))
    seen["requests"] = [[each.to_stage, each.comment, each.activity_type.value] for each in listed]
    activity = sdk.model_registry.approve_transition_request("triage", "2", "Production", True, comment="ok").activity
    seen["activity"] = [activity.activity_type.value, activity.from_stage, activity.to_stage, activity.comment]
    seen["stages"] = [
        [each.version, each.current_stage] for each in sorted(client.search_model_versions("name='triage'"), key=lambda v: v.version)
    ]
    seen["left"] = len(list(sdk.model_registry.list_transition_requests("triage", "2")))
    moved = sdk.model_registry.transition_stage("triage", "1", "Staging", False, comment="back").model_version_databricks
    seen["moved"] = [moved.version, moved.current_stage, moved.permission_level.value]
    sdk.model_registry.create_transition_request("triage", "1", "Archived")
    sdk.model_registry.reject_transition_request("triage", "1", "Archived")
    sdk.model_registry.create_transition_request("triage", "1", "Archived")
    sdk.model_registry.delete_transition_request("triage", "1", "Archived", creator=sdk.current_user.me().user_name)
    comment = sdk.model_registry.create_comment("triage", "1", "seen").comment
    seen["comment"] = sdk.model_registry.update_comment(comment.id, "seen twice").comment.comment
    sdk.model_registry.delete_comment(comment.id)
    client.set_model_version_tag("triage", "1", "a", "b")
    client.delete_model_version_tag("triage", "1", "a")
    client.update_model_version("triage", "1", "text")
    seen["found"] = [each.name for each in client.search_registered_models("name LIKE 'tri%'")]
    seen["in_stage"] = refused(lambda: client.delete_model_version("triage", "1"))
    acl = sdk.permissions.update(
        "registered-models", got.id,
        access_control_list=[iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_READ)],
    )
    seen["acl"] = sorted(each.group_name or each.user_name for each in acl.access_control_list)


def endpoints():
    def config(version, percentage):
        return serving.ServedEntityInput(
            name=f"v{version}", entity_name="triage", entity_version=str(version), workload_size="Small", scale_to_zero_enabled=True
        ), serving.Route(served_model_name=f"v{version}", traffic_percentage=percentage)

    one, all_of_it = config(1, 100)
    made = sdk.serving_endpoints.create_and_wait(
        "triage",
        config=serving.EndpointCoreConfigInput(name="triage", served_entities=[one], traffic_config=serving.TrafficConfig(routes=[all_of_it])),
        tags=[serving.EndpointTag(key="t", value="u")],
        timeout=timedelta(seconds=30),
    )
    seen["ready"] = [made.state.ready.value, made.state.config_update.value, made.config.config_version]
    seen["entity"] = [
        made.config.served_entities[0].entity_version,
        made.config.served_entities[0].state.deployment.value,
        made.config.traffic_config.routes[0].traffic_percentage,
    ]
    two, part = config(2, 10)
    _, rest = config(1, 90)
    waiter = sdk.serving_endpoints.update_config(
        "triage", served_entities=[one, two], traffic_config=serving.TrafficConfig(routes=[rest, part])
    )
    during = sdk.serving_endpoints.get("triage")
    seen["during"] = [during.state.config_update.value, during.state.ready.value, during.pending_config.config_version]
    seen["busy"] = refused(lambda: sdk.serving_endpoints.update_config("triage", served_entities=[one]))
    seen["updated"] = waiter.result(timeout=timedelta(seconds=30)).config.config_version
    answer = sdk.serving_endpoints.query("triage", dataframe_records=[{"x": 1.0}, {"x": 2.0}])
    seen["predictions"] = answer.predictions
    seen["served"] = answer.served_model_name
    seen["listed"] = [each.name for each in sdk.serving_endpoints.list()]
    seen["tags"] = [each.key for each in sdk.serving_endpoints.patch("triage", add_tags=[serving.EndpointTag(key="n", value="")]).tags]
    seen["running"] = "Listening" in sdk.serving_endpoints.logs("triage", "v1").logs
    seen["logs"] = "Done" in sdk.serving_endpoints.build_logs("triage", "v1").logs
    levels = sdk.serving_endpoints.get_permission_levels(made.id).permission_levels
    seen["levels"] = [each.permission_level.value for each in levels]
    sdk.serving_endpoints.delete("triage")
    seen["gone"] = refused(lambda: sdk.serving_endpoints.get("triage"))


def work():
    task = lambda key, *after: jobs.Task(
        task_key=key,
        environment_key="default",
        depends_on=[jobs.TaskDependency(task_key=each) for each in after],
        python_wheel_task=jobs.PythonWheelTask(package_name="triage", entry_point=key),
    )
    from databricks.sdk.service.compute import Environment

    made = sdk.jobs.create(
        name="Train",
        tasks=[task("train"), task("register", "train")],
        environments=[jobs.JobEnvironment(environment_key="default", spec=Environment(environment_version="2", dependencies=["a.whl"]))],
        parameters=[jobs.JobParameterDefinition(name="seed", default="1")],
        max_concurrent_runs=2,
    )
    seen["job"] = [each.settings.name for each in sdk.jobs.list(name="train")]
    run = sdk.jobs.run_now(made.job_id, job_parameters={"seed": "2"}, idempotency_token="abc")
    seen["same"] = sdk.jobs.run_now(made.job_id, idempotency_token="abc").run_id == run.run_id
    seen["first"] = sdk.jobs.get_run(run.run_id).status.state.value
    done = run.result(timeout=timedelta(seconds=60))
    seen["done"] = [done.state.life_cycle_state.value, done.state.result_state.value, [each.task_key for each in done.tasks]]
    seen["parameter"] = done.job_parameters[0].value
    seen["output"] = sdk.jobs.get_run_output(done.tasks[0].run_id).logs
    seen["parent"] = refused(lambda: sdk.jobs.get_run_output(run.run_id))
    failing = sdk.jobs.run_now(made.job_id, job_parameters={"seed": "bad"})
    for _ in range(10):
        got = sdk.jobs.get_run(failing.run_id)
        if got.status.state == jobs.RunLifecycleStateV2State.TERMINATED:
            break
    seen["failed"] = [
        got.state.life_cycle_state.value,
        got.state.result_state.value,
        got.status.termination_details.code.value,
        [each.state.result_state.value for each in got.tasks],
    ]
    seen["error"] = sdk.jobs.get_run_output(got.tasks[0].run_id).error
    repaired = sdk.jobs.repair_run_and_wait(
        failing.run_id, rerun_all_failed_tasks=True, job_parameters={"seed": "3"}, timeout=timedelta(seconds=60)
    )
    seen["repaired"] = [repaired.state.result_state.value, len(sdk.jobs.get_run(failing.run_id, include_history=True).repair_history)]
    seen["runs"] = [each.run_id for each in sdk.jobs.list_runs(job_id=made.job_id)] == [failing.run_id, run.run_id]
    stopped = sdk.jobs.run_now(made.job_id)
    seen["canceled"] = sdk.jobs.cancel_run_and_wait(stopped.run_id, timeout=timedelta(seconds=60)).state.result_state.value
    sdk.jobs.update(made.job_id, new_settings=jobs.JobSettings(name="Train 2", tasks=[task("train")]), fields_to_remove=["tasks/register"])
    seen["changed"] = [sdk.jobs.get(made.job_id).settings.name, [each.task_key for each in sdk.jobs.get(made.job_id).settings.tasks]]
    acl = sdk.jobs.update_permissions(
        str(made.job_id),
        access_control_list=[jobs.JobAccessControlRequest(group_name="users", permission_level=jobs.JobPermissionLevel.CAN_MANAGE_RUN)],
    )
    seen["owner"] = [each.all_permissions[0].permission_level.value for each in acl.access_control_list]
    sdk.jobs.delete(made.job_id)
    seen["missing"] = refused(lambda: sdk.jobs.get(made.job_id))


def rest():
    from databricks.sdk.service import sql, workspace

    id = [each.id for each in sdk.warehouses.list()][0]
    seen["warehouse"] = sdk.warehouses.get(id).state.value
    seen["started"] = sdk.warehouses.start_and_wait(id, timeout=timedelta(seconds=60)).state.value
    done = sdk.statement_execution.execute_statement("SELECT 1 AS one, 'a' AS b", id, wait_timeout="5s")
    seen["statement"] = [done.status.state.value, done.manifest.schema.columns[0].type_name.value, done.result.data_array]
    bad = sdk.statement_execution.execute_statement("SELEC 1", id)
    seen["bad"] = [bad.status.state.value, bad.status.error.error_code.value]
    later = sdk.statement_execution.execute_statement("SELECT 2", id, wait_timeout="0s", on_wait_timeout=sql.ExecuteStatementRequestOnWaitTimeout.CONTINUE)
    seen["later"] = [later.status.state.value] + [sdk.statement_execution.get_statement(later.statement_id).status.state.value for _ in range(2)]
    stopped = sdk.statement_execution.execute_statement("SELECT 3", id, wait_timeout="0s")
    sdk.statement_execution.cancel_execution(stopped.statement_id)
    seen["cancelled"] = sdk.statement_execution.get_statement(stopped.statement_id).status.state.value
    many = sdk.statement_execution.execute_statement("SELECT many", id, row_limit=5)
    chunk = sdk.statement_execution.get_statement_result_chunk_n(many.statement_id, many.result.next_chunk_index)
    seen["chunks"] = [many.manifest.total_row_count, many.manifest.truncated, many.result.row_count, chunk.row_offset, chunk.data_array]
    seen["stop"] = refused(lambda: sdk.warehouses.stop(id))

    sdk.secrets.create_scope("scope")
    seen["scope"] = refused(lambda: sdk.secrets.create_scope("scope"))
    sdk.secrets.put_secret("scope", "key", string_value="value")
    seen["secrets"] = [each.key for each in sdk.secrets.list_secrets("scope")]
    seen["scopes"] = [each.name for each in sdk.secrets.list_scopes()]
    seen["value"] = refused(lambda: sdk.secrets.get_secret("scope", "key"))
    sdk.secrets.put_acl("scope", "users", workspace.AclPermission.READ)
    seen["acls"] = sorted(each.principal for each in sdk.secrets.list_acls("scope"))

    home = f"/Users/{sdk.current_user.me().user_name}/deploy"
    sdk.workspace.mkdirs(f"{home}/files")
    sdk.workspace.upload(f"{home}/files/a.txt", b"text", format=workspace.ImportFormat.AUTO)
    sdk.workspace.upload(f"{home}/note.py", b"# Databricks notebook source\n1", format=workspace.ImportFormat.AUTO)
    seen["again_file"] = refused(lambda: sdk.workspace.upload(f"{home}/files/a.txt", b"text", format=workspace.ImportFormat.AUTO))
    seen["objects"] = sorted([each.path[len(home) :], each.object_type.value] for each in sdk.workspace.list(home, recursive=True))
    seen["text"] = sdk.workspace.download(f"{home}/files/a.txt").read().decode()
    status = sdk.workspace.get_status(f"{home}/note")
    acl = sdk.permissions.get("notebooks", str(status.object_id))
    seen["note"] = [status.language.value, len(acl.access_control_list)]
    seen["elsewhere"] = refused(lambda: sdk.workspace.mkdirs("/Users/bob@example.com/x"))
    sdk.workspace.delete(home, recursive=True)
    seen["deleted"] = refused(lambda: sdk.workspace.get_status(home))


def more():
    from databricks.sdk.service import workspace

    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks")
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("/Shared/more")
    client.set_experiment_tag(experiment, "k", "v")
    client.rename_experiment(experiment, "/Shared/renamed")
    seen["experiments"] = [[each.name, each.tags["k"]] for each in client.search_experiments(filter_string="name LIKE '/Shared/%'")]
    run = client.create_run(experiment, start_time=5, tags={"gone": "x"})
    id = run.info.run_id
    client.delete_tag(id, "gone")
    client.delete_run(id)
    seen["deleted_run"] = client.get_run(id).info.lifecycle_stage
    client.restore_run(id)
    seen["runs_deleted"] = sdk.experiments.delete_runs(experiment, max_timestamp_millis=10).runs_deleted
    seen["runs_restored"] = sdk.experiments.restore_runs(experiment, min_timestamp_millis=1).runs_restored
    sdk.experiments.log_model(run_id=id, model_json="{}")
    model = client.create_logged_model(experiment, name="m", tags={"t": "u"})
    client.log_model_params(model.model_id, {"p": "1"})
    client.delete_logged_model_tag(model.model_id, "t")
    got = client.get_logged_model(model.model_id)
    seen["logged"] = [got.params, "t" in got.tags]
    client.delete_logged_model(model.model_id)
    seen["model_gone"] = refused(lambda: client.get_logged_model(model.model_id))
    client.delete_experiment(experiment)
    client.restore_experiment(experiment)
    seen["stage"] = client.get_experiment(experiment).lifecycle_stage

    client.create_registered_model("m")
    client.set_registered_model_tag("m", "a", "b")
    client.delete_registered_model_tag("m", "a")
    client.update_registered_model("m", "text")
    client.rename_registered_model("m", "n")
    sdk.model_registry.create_model_version("n", "s3://bucket/x")
    seen["uri"] = sdk.model_registry.get_model_version_download_uri("n", "1").artifact_uri.endswith("/n/1")
    client.delete_model_version("n", "1")
    seen["models"] = [[each.name, each.description] for each in sdk.model_registry.list_models()]
    client.delete_registered_model("n")

    task = jobs.SubmitTask(task_key="a", notebook_task=jobs.NotebookTask(notebook_path="/x"))
    seen["submitted"] = sdk.jobs.submit(tasks=[task], run_name="once").result(timeout=timedelta(seconds=60)).state.result_state.value
    job = sdk.jobs.create(name="j", tasks=[jobs.Task(task_key="a", notebook_task=jobs.NotebookTask(notebook_path="/x"))])
    run = sdk.jobs.run_now(job.job_id)
    sdk.jobs.cancel_all_runs(job_id=job.job_id)
    run.result(timeout=timedelta(seconds=60))
    sdk.jobs.delete_run(run.run_id)
    seen["run_gone"] = refused(lambda: sdk.jobs.get_run(run.run_id))
    sdk.jobs.reset(job.job_id, jobs.JobSettings(name="k"))
    got = sdk.jobs.get(job.job_id).settings
    seen["reset"] = [got.name, len(got.tasks or [])]

    me = sdk.current_user.me().user_name
    owner = iam.AccessControlRequest(user_name=me, permission_level=iam.PermissionLevel.IS_OWNER)
    seen["put"] = sdk.permissions.set("jobs", str(job.job_id), access_control_list=[owner]).object_id == f"/jobs/{job.job_id}"
    seen["levels"] = [each.permission_level.value for each in sdk.permissions.get_permission_levels("experiments", experiment).permission_levels]
    seen["experiment_acl"] = sorted(each.group_name or each.user_name for each in sdk.permissions.get("experiments", experiment).access_control_list)
    house = sdk.warehouses.create(name="own").response.id
    manage = iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_MANAGE)
    sdk.permissions.update("sql/warehouses", house, access_control_list=[manage])
    sdk.permissions.set("sql/warehouses", house, access_control_list=[manage])
    seen["house"] = [each.group_name for each in sdk.permissions.get("sql/warehouses", house).access_control_list]
    sdk.permissions.get_permission_levels("sql/warehouses", house)
    seen["stopped"] = sdk.warehouses.stop_and_wait(house, timeout=timedelta(seconds=60)).state.value

    sdk.secrets.create_scope("more")
    sdk.secrets.put_secret("more", "key", string_value="value")
    sdk.secrets.put_acl("more", "users", workspace.AclPermission.READ)
    seen["acl"] = sdk.secrets.get_acl("more", "users").permission.value
    sdk.secrets.delete_acl("more", "users")
    sdk.secrets.delete_secret("more", "key")
    sdk.secrets.delete_scope("more")
    seen["scopes"] = len(list(sdk.secrets.list_scopes()))


for part in sys.argv[1:]:
    globals()[part]()
print(json.dumps(seen))
