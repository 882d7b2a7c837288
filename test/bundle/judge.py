"""What the official package says of every resource in the folders that are named: one JSON line a folder."""

import json
import sys
from pathlib import Path

import yaml
from databricks.bundles.experiments import MlflowExperiment
from databricks.bundles.jobs import Job
from databricks.bundles.model_serving_endpoints import ModelServingEndpoint
from databricks.bundles.registered_models import RegisteredModel
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume

KINDS = {
    "jobs": Job,
    "experiments": MlflowExperiment,
    "model_serving_endpoints": ModelServingEndpoint,
    "registered_models": RegisteredModel,
    "schemas": Schema,
    "volumes": Volume,
}


def judge(folder: Path) -> dict[str, object]:
    judged: list[str] = []
    problems: list[str] = []
    for path in sorted(folder.glob("resources/*.yml")):
        try:
            kinds = yaml.safe_load(path.read_text()).get("resources", {})
        except yaml.YAMLError as error:
            problems.append(f"{path.name}: {type(error).__name__}")
            continue
        for kind, items in kinds.items():
            for name, body in items.items():
                if kind not in KINDS:
                    continue
                judged.append(f"{kind}.{name}")
                try:
                    KINDS[kind].from_dict(body)
                except (ValueError, TypeError) as error:
                    problems.append(f"{kind}.{name}: {error}")
    return {"folder": folder.name, "judged": judged, "problems": problems}


for argument in sys.argv[1:]:
    print(json.dumps(judge(Path(argument))))
