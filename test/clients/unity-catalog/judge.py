"""Official clients beside factory: they read what factory wrote, and write what factory reads. Prints one JSON object."""

import hashlib
import json
import os
import pathlib
import sys
import tempfile

import mlflow
from databricks.sdk import WorkspaceClient
from mlflow.store.artifact.unity_catalog_models_artifact_repo import UnityCatalogModelsArtifactRepository

name, number, volume, mine = sys.argv[1:5]
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
client = mlflow.MlflowClient()
workspace = WorkspaceClient()


def digests(folder):
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


version = client.get_model_version(name, number)
fetched = tempfile.mkdtemp()
UnityCatalogModelsArtifactRepository("models:/%s/%s" % (name, number), "databricks-uc").download_artifacts("", fetched)
stored = {}
for entry in workspace.files.list_directory_contents(volume):
    if not entry.is_directory:
        stored[os.path.basename(entry.path)] = workspace.files.download(entry.path).contents.read().decode()
seen = {
    "mlflow": {
        "status": version.status,
        "created": version.creation_timestamp,
        "tags": version.tags,
        "aliases": sorted(version.aliases),
        "champion": client.get_model_version_by_alias(name, "champion").version,
        "modelTags": client.get_registered_model(name).tags,
        "found": [each.version for each in client.search_model_versions("name='%s'" % name)],
        "files": digests(fetched),
    },
    "sdk": {
        "status": workspace.model_versions.get(name, int(number)).status.value,
        "champion": workspace.model_versions.get_by_alias(name, "champion").version,
        "listed": [each.version for each in workspace.model_versions.list(name)],
        "owner": workspace.registered_models.get(name).owner,
        "files": stored,
    },
}

# The other way round.
folder = tempfile.mkdtemp()
pathlib.Path(folder, "MLmodel").write_text(pathlib.Path(fetched, "MLmodel").read_text())
pathlib.Path(folder, "deep").mkdir()
pathlib.Path(folder, "deep", "weights.bin").write_bytes(os.urandom(100_000))
client.create_registered_model(mine, tags={"factory_policy": "theirs"})
made = client.create_model_version(mine, folder, tags={"factory_digest": "d", "other": "kept"})
client.set_registered_model_alias(mine, "champion", made.version)
workspace.registered_models.set_alias(mine, "challenger", int(made.version))
workspace.files.upload(volume + "/beside.txt", open(os.path.join(folder, "MLmodel"), "rb"), overwrite=True)
seen["wrote"] = {"version": made.version, "created": made.creation_timestamp, "files": digests(folder)}
print(json.dumps(seen))
