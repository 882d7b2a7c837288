"""MLflow's own client writes and reads artifacts of a run and of a logged model. Prints one JSON object of what it saw."""

import json
import os
import pathlib
import sys
import tempfile

import mlflow

mlflow.set_tracking_uri("databricks")
client = mlflow.MlflowClient()
seen = {}
experiment = client.create_experiment("/Shared/storage")
run = client.create_run(experiment).info.run_id
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "big.bin")
    path.write_bytes(os.urandom(1024) * (int(sys.argv[1]) // 1024))
    client.log_text(run, "", "empty.txt")
    client.log_text(run, "a b", "with space/ü%.txt")
    client.log_artifact(run, str(path), "deep")
    model = client.create_logged_model(experiment, name="m", source_run_id=run)
    client.log_model_artifacts(model.model_id, folder)
    seen["status"] = client.finalize_logged_model(model.model_id, "READY").status.value
    seen["listed"] = sorted([each.path, each.file_size] for each in client.list_logged_model_artifacts(model.model_id))
    seen["files"] = sorted(each.path for each in client.list_artifacts(run))
    with tempfile.TemporaryDirectory() as other:
        read = lambda uri: pathlib.Path(mlflow.artifacts.download_artifacts(uri, dst_path=other)).read_bytes()
        seen["big"] = read(f"runs:/{run}/deep/big.bin") == path.read_bytes()
        seen["empty"] = len(read(f"runs:/{run}/empty.txt"))
        seen["space"] = read(f"runs:/{run}/with space/ü%.txt").decode()
        whole = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}", dst_path=other)
        seen["model"] = pathlib.Path(whole, "big.bin").read_bytes() == path.read_bytes()
print(json.dumps(seen))
