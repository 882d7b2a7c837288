"""Keeps, brings back and tells the state of a running MLflow server, from its database and its folder of artifacts.

One JSON request a line on stdin, one JSON answer a line on stdout.
"""
import hashlib
import json
import os
import shutil
import sqlite3
import sys

ROOT = sys.argv[1]
DATABASE = os.path.join(ROOT, "mlflow.db")
ARTIFACTS = os.path.join(ROOT, "artifacts")
KEPT = os.path.join(ROOT, "kept")


def connect(path):
    return sqlite3.connect(path, timeout=30)


def copy_database(source, target):
    # SQLite's own backup: other connections see it as one transaction.
    a, b = connect(source), connect(target)
    b.execute("pragma synchronous = off")
    a.backup(b)
    a.close()
    b.close()


def files_below(root):
    return sorted(
        os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names
    )


def save(name):
    folder = os.path.join(KEPT, name)
    os.makedirs(folder)
    copy_database(DATABASE, os.path.join(folder, "mlflow.db"))
    shutil.copytree(ARTIFACTS, os.path.join(folder, "artifacts"))


def restore(name):
    folder = os.path.join(KEPT, name)
    copy_database(os.path.join(folder, "mlflow.db"), DATABASE)
    kept = os.path.join(folder, "artifacts")
    wanted, there = set(files_below(kept)), set(files_below(ARTIFACTS))
    for path in there - wanted:
        os.remove(os.path.join(ARTIFACTS, path))
    for path in wanted - there:
        os.makedirs(os.path.dirname(os.path.join(ARTIFACTS, path)), exist_ok=True)
        shutil.copyfile(os.path.join(kept, path), os.path.join(ARTIFACTS, path))
    # Factory never writes over what is there.
    for path in wanted & there:
        if os.path.getsize(os.path.join(ARTIFACTS, path)) != os.path.getsize(os.path.join(kept, path)):
            raise RuntimeError(f"{path} was written over")


def place(uri):
    scheme = "mlflow-artifacts:/"
    if not uri.startswith(scheme):
        raise RuntimeError(uri)
    return os.path.join(ARTIFACTS, uri[len(scheme):].lstrip("/"))


def digests(folder):
    found = {}
    for path in files_below(folder):
        with open(os.path.join(folder, path), "rb") as file:
            found[path] = hashlib.sha256(file.read()).hexdigest()
    return found


def model_digest(files):
    lines = sorted(files.items(), key=lambda each: each[0].encode())
    return hashlib.sha256("".join(f"{sha}  {path}\n" for path, sha in lines).encode()).hexdigest()


def dump():
    db = connect(DATABASE)
    ask = lambda sql, *values: db.execute(sql, values).fetchall()
    experiments = dict(ask("select experiment_id, name from experiments"))
    homes = dict(ask("select model_id, artifact_location from logged_models"))
    models = {}
    for (name,) in ask("select name from registered_models"):
        versions = []
        for number, created, source, status in ask(
            "select version, creation_time, source, status from model_versions where name = ? "
            "and current_stage != 'Deleted_Internal' order by version",
            name,
        ):
            files = digests(place(homes[source.split("/", 1)[1]]))
            versions.append({
                "version": str(number),
                "createdAt": created,
                "status": status,
                "source": source,
                "digest": model_digest(files),
                "tags": dict(ask("select key, value from model_version_tags where name = ? and version = ?", name, number)),
            })
        models[name] = {
            "tags": dict(ask("select key, value from registered_model_tags where name = ?", name)),
            "aliases": {
                alias: str(number)
                for alias, number in ask("select alias, version from registered_model_aliases where name = ?", name)
            },
            "versions": versions,
        }
    logged = [
        {"experiment": experiments[experiment], "status": status, "id": model, "digest": model_digest(digests(place(home)))}
        for model, experiment, status, home in ask(
            "select model_id, experiment_id, status, artifact_location from logged_models where lifecycle_stage = 'active'"
        )
    ]
    objects = []
    for run, experiment, status, home in ask(
        "select run_uuid, experiment_id, status, artifact_uri from runs where lifecycle_stage = 'active'"
    ):
        name = experiments[experiment]
        if not name.startswith("factory/"):
            continue
        tags = dict(ask("select key, value from tags where run_uuid = ?", run))
        digest = tags.get("factory.object", "")
        objects.append({
            "experiment": name,
            "status": status,
            "kind": tags.get("factory.object.kind", ""),
            "digest": digest,
            "files": digests(os.path.join(place(home), "factory-evidence", digest)),
        })
    db.close()
    return {"models": models, "logged": logged, "objects": objects, "experiments": sorted(experiments.values())}


for line in sys.stdin:
    request = json.loads(line)
    try:
        what = request["what"]
        answer = {"save": save, "restore": restore}[what](request["name"]) if what != "dump" else dump()
        print(json.dumps({"ok": answer}), flush=True)
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
