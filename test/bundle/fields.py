"""The fields that the official package knows, by class: name, whether it is required, and the values of an enum."""

import dataclasses
import enum
import json
import sys
import typing

from databricks.bundles.experiments import MlflowExperiment
from databricks.bundles.jobs import Job
from databricks.bundles.model_serving_endpoints import ModelServingEndpoint
from databricks.bundles.registered_models import RegisteredModel
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume

seen: dict[str, dict[str, dict[str, object]]] = {}


def parts(kind: object) -> list[object]:
    arguments = typing.get_args(kind)
    return [kind, *(inner for argument in arguments for inner in parts(argument))]


def walk(cls: type) -> None:
    if cls.__name__ in seen:
        return
    seen[cls.__name__] = fields = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        values: list[str] = []
        for part in parts(hints[field.name]):
            if isinstance(part, type) and issubclass(part, enum.Enum):
                values = [each.value for each in part]
            elif isinstance(part, type) and dataclasses.is_dataclass(part):
                walk(part)
        fields[field.name] = {"required": required, "values": values}


for top in (Job, MlflowExperiment, ModelServingEndpoint, RegisteredModel, Schema, Volume):
    walk(top)
json.dump(seen, sys.stdout)
