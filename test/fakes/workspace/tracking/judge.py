"""MLflow's own client, as a program uses it against a workspace. Prints one JSON object of what it saw."""

import json
import os
import pathlib
import sys
import tempfile

import mlflow
import pandas
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks")
client = mlflow.MlflowClient()
name = sys.argv[1]
big = int(sys.argv[2])
seen = {}

experiment = mlflow.create_experiment(name, tags={"a": "b"})
mlflow.set_experiment(experiment_id=experiment)
frame = pandas.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 0.0, 1.0, 0.0]})
with mlflow.start_run(run_name="judged") as run:
    mlflow.log_metric("auc", 0.5, step=3)
    mlflow.log_metric("auc", 0.75, step=4)
    mlflow.log_param("p1", "v")
    mlflow.log_params({"p2": "v", "p3": "w"})
    mlflow.log_metrics({"m2": 1, "m3": 2})
    mlflow.set_tag("t", "u")
    mlflow.log_input(mlflow.data.from_pandas(frame, name="train"), context="training")
    mlflow.log_dict({"k": 1}, "d/info.json")
    mlflow.log_text("", "empty.txt")
    mlflow.log_text("a b", "with space/ü%.txt")
    model = LogisticRegression().fit(frame, [0, 0, 1, 1])
    info = mlflow.sklearn.log_model(model, name="model", input_example=frame.head(2))
    mlflow.log_metric("after", 1.0, model_id=info.model_id)
    client.set_logged_model_tags(info.model_id, {"q": "r"})
id = run.info.run_id
seen["run"] = id
seen["experiment"] = experiment
seen["model"] = info.model_id
seen["files"] = sorted(each.path for each in client.list_artifacts(id))
seen["folder"] = [[each.path, each.file_size] for each in client.list_artifacts(id, "d")]
with tempfile.TemporaryDirectory() as folder:
    read = lambda path: pathlib.Path(
        mlflow.artifacts.download_artifacts(run_id=id, artifact_path=path, dst_path=folder)
    ).read_bytes()
    seen["info"] = json.loads(read("d/info.json"))
    seen["space"] = read("with space/ü%.txt").decode()
    seen["empty"] = len(read("empty.txt"))
    loaded = mlflow.sklearn.load_model(info.model_uri)
    seen["predictions"] = [int(each) for each in loaded.predict(frame)]
    path = pathlib.Path(folder, "big.bin")
    path.write_bytes(os.urandom(1024) * (big // 1024))
    client.log_artifact(id, str(path), "deep")
    seen["big"] = read("deep/big.bin") == path.read_bytes()
seen["found"] = len(
    mlflow.search_runs([experiment], "metrics.auc > 0.7 and params.p1='v' and tags.t='u'", order_by=["metrics.auc DESC"])
)
seen["history"] = [[each.step, each.value] for each in client.get_metric_history(id, "auc")]
seen["models"] = [each.name for each in mlflow.search_logged_models([experiment], output_format="list")]
whole = client.get_run(id)
seen["status"] = whole.info.status
seen["metric"] = whole.data.metrics["auc"]
seen["dataset"] = whole.inputs.dataset_inputs[0].dataset.name
seen["outputs"] = [each.model_id for each in whole.outputs.model_outputs]
logged = client.get_logged_model(info.model_id)
seen["logged"] = [logged.status.value, logged.tags.get("q"), [each.key for each in logged.metrics]]
try:
    client.log_param(id, "p1", "other")
except mlflow.exceptions.MlflowException as error:
    seen["changed"] = error.error_code
try:
    mlflow.create_experiment(name)
except mlflow.exceptions.MlflowException as error:
    seen["again"] = error.error_code

sdk = WorkspaceClient(config=Config(retry_timeout_seconds=5))
seen["sdk_run"] = sdk.experiments.get_run(run_id=id).run.info.run_name
seen["sdk_experiment"] = sdk.experiments.get_by_name(name).experiment.experiment_id
seen["sdk_search"] = [each.info.run_id for each in sdk.experiments.search_runs(experiment_ids=[experiment])]
seen["sdk_history"] = [each.step for each in sdk.experiments.get_history(run_id=id, metric_key="auc")]
seen["sdk_files"] = sorted(each.path for each in sdk.experiments.list_artifacts(run_id=id))
seen["sdk_listed"] = experiment in [each.experiment_id for each in sdk.experiments.list_experiments()]
print(json.dumps(seen))
