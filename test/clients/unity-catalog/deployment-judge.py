"""Deployment jobs by the official clients: connect MODEL JOB, approve MODEL VERSION TASK, or look MODEL VERSION."""

import json
import sys

from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient

mlflow = MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
command, model, *rest = sys.argv[1:]
if command == "connect":
    mlflow.update_registered_model(model, deployment_job_id=rest[0])
    print(json.dumps({"job": mlflow.get_registered_model(model).deployment_job_id}))
elif command == "approve":
    mlflow.set_model_version_tag(model, rest[0], rest[1], "Approved")
    print(json.dumps({}))
else:
    version = mlflow.get_model_version(model, rest[0])
    state = version.deployment_job_state
    run = WorkspaceClient().jobs.get_run(int(state.run_id), include_history=True)
    print(
        json.dumps(
            {
                "tags": {key: version.tags[key] for key in version.tags if key.startswith("approval")},
                "run_state": state.run_state,
                "job": state.job_id,
                "result": run.state.result_state.value,
                "repairs": len(run.repair_history or []),
                "tasks": {task.task_key: task.state.result_state.value for task in run.tasks},
            }
        )
    )
