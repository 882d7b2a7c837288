"""MLflow's own client looks at what factory left on a server: judge.py MODEL ENVIRONMENT... ; prints one JSON document."""

import hashlib
import json
import pathlib
import sys

import mlflow
from mlflow import MlflowClient


def files_of(folder):
    paths = [each for each in pathlib.Path(folder).rglob("*") if each.is_file()]
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in paths}


def manifest_digest(files):
    """What `sha256sum` prints for every file, in the order of the bytes of their paths; and the SHA-256 of that."""
    lines = [(path.encode(), hashlib.sha256(data).hexdigest()) for path, data in files.items()]
    return hashlib.sha256(b"".join(digest.encode() + b"  " + path + b"\n" for path, digest in sorted(lines))).hexdigest()


def version_of(client, name, number):
    version = client.get_model_version(name, number)
    files = files_of(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{number}"))
    files.pop("registered_model_meta", None)  # MLflow's client adds it to what it downloads.
    return {
        "digest": manifest_digest(files),
        "files": sorted(files),
        "aliases": sorted(version.aliases),
        "tags": version.tags,
    }


def objects_of(client, environment, model):
    """Evidence and bundles: kind and the SHA-256 of the index, by the digest under which they are kept."""
    experiment = client.get_experiment_by_name(f"factory/{environment}/{model}")
    runs = client.search_runs([experiment.experiment_id], "tags.`factory.object` LIKE '%'")
    found = {}
    for run in runs:
        digest, kind = run.data.tags["factory.object"], run.data.tags["factory.object.kind"]
        files = files_of(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=f"factory-evidence/{digest}"))
        index = files["evidence.json" if kind == "evidence" else "bundle.json"]
        found[digest] = {"kind": kind, "index": hashlib.sha256(index).hexdigest(), "files": len(files)}
    return found


def main():
    model, *environments = sys.argv[1:]
    client = MlflowClient()
    said = {}
    for environment in environments:
        name = f"{environment}.{model}"
        registered = client.get_registered_model(name)
        versions = client.search_model_versions(f"name = '{name}'")
        said[environment] = {
            "aliases": {alias: str(number) for alias, number in registered.aliases.items()},
            "tags": registered.tags,
            "versions": {str(each.version): version_of(client, name, each.version) for each in versions},
            "objects": objects_of(client, environment, model),
        }
    print(json.dumps(said))


main()
