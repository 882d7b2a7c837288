"""Score a table in one batch. Each row says which model made it, down to the bytes, and when."""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.exceptions import MlflowException

from . import config, data, digest, features

_REGISTERED = re.compile(r"^models:/(?P<name>[^/@]+)(?:@(?P<alias>[\w-]+)|/(?P<version>\d+))$")
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

# MLflow's client adds this file to what it downloads; it is not one of the model's own.
_DOWNLOAD_NOTE = "registered_model_meta"


class ScoringRefusedError(Exception):
    """Nothing may be scored, and why."""


class Predictor(Protocol):
    """What is asked of a loaded model."""

    def predict(self, data: pd.DataFrame) -> Any:
        """Give two probabilities for each row."""


@dataclass(frozen=True)
class OpenedModel:
    """A loaded model and what names it in every prediction."""

    predictor: Predictor
    name: str
    version: str
    digest: str


class _InMemory:
    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, data: pd.DataFrame) -> Any:
        return self._model.predict_proba(data)


def in_memory(model: Any) -> Predictor:
    """Present a fitted estimator as MLflow would after loading it."""
    return _InMemory(model)


def probabilities(model: Predictor, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """P(high) for each row."""
    found = np.asarray(model.predict(features.select(frame)), dtype="float64")
    return found[:, config.POSITIVE]


@contextmanager
def open_model(uri: str) -> Iterator[OpenedModel]:
    """Load a model from a folder or from the registry, from a private copy of its bytes."""
    registered = _REGISTERED.match(uri)
    if registered is None:
        folder = Path(uri)
        if not (folder / "MLmodel").is_file():
            raise ScoringRefusedError(f"{uri} is no model: it has no file MLmodel")
        yield _load(folder, folder.name, "unregistered")
        return
    name = registered["name"]
    version = _resolve(name, registered["alias"], registered["version"])
    with tempfile.TemporaryDirectory() as temporary:
        source = f"models:/{name}/{version.version}"
        folder = Path(mlflow.artifacts.download_artifacts(source, dst_path=temporary))
        (folder / _DOWNLOAD_NOTE).unlink(missing_ok=True)
        opened = _load(folder, name, str(version.version))
        recorded = version.tags.get("factory.digest")
        if not recorded:
            raise ScoringRefusedError(
                f"{source} carries no factory.digest: it was made by hand, nothing is scored"
            )
        if recorded != opened.digest:
            raise ScoringRefusedError(
                f"{source} is not what was registered: sha256:{opened.digest}, "
                f"recorded sha256:{recorded}"
            )
        yield opened


def _load(folder: Path, name: str, version: str) -> OpenedModel:
    found = digest.model_digest(folder)
    return OpenedModel(mlflow.pyfunc.load_model(str(folder)), name, version, found)


def _resolve(name: str, alias: str | None, version: str | None) -> Any:
    client = mlflow.MlflowClient()
    try:
        if alias is not None:
            return client.get_model_version_by_alias(name, alias)
        return client.get_model_version(name, str(version))
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        wanted = alias if alias is not None else f"version {version}"
        raise ScoringRefusedError(
            f"{name} has no {wanted}: nothing is scored ({error.message})"
        ) from error


def predict(opened: OpenedModel, frame: pd.DataFrame, now: datetime | None = None) -> pd.DataFrame:
    """Score every row. The columns are those of contracts/output/predictions.odcs.yaml."""
    if config.ID_COLUMN not in frame.columns:
        raise ValueError(f"columns missing: {config.ID_COLUMN}")
    if frame[config.ID_COLUMN].isna().any() or frame[config.ID_COLUMN].duplicated().any():
        raise ValueError(f"{config.ID_COLUMN} must be there and unique in every row")
    probability = probabilities(opened.predictor, frame)
    scored_at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    return pd.DataFrame(
        {
            config.ID_COLUMN: frame[config.ID_COLUMN].to_numpy(),
            "probability": probability,
            "decision": np.where(probability < config.REVIEW_FROM, "straight-through", "review"),
            "model_name": opened.name,
            "model_version": opened.version,
            "model_digest": f"sha256:{opened.digest}",
            "scored_at": scored_at,
        }
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the job and of `python -m`; exit status 3 when scoring is refused."""
    parser = argparse.ArgumentParser(prog="score", description="Score a table in one batch.")
    parser.add_argument("--model", required=True, help="models:/NAME@champion, or a folder")
    parser.add_argument("--input", required=True, help="CSV, Parquet or table")
    parser.add_argument("--output", required=True, help="CSV, Parquet or table (appended to)")
    options = parser.parse_args(argv)
    if data.is_table(options.output) and "MLFLOW_REGISTRY_URI" not in os.environ:
        mlflow.set_registry_uri("databricks-uc")
    try:
        with open_model(options.model) as opened:
            predictions = predict(opened, data.read(options.input))
    except ScoringRefusedError as refused:
        print(refused, file=sys.stderr)
        sys.exit(3)
    data.write(predictions, options.output)
    through = int((predictions["decision"] == "straight-through").sum())
    print(
        f"{len(predictions)} rows scored by {opened.name} version {opened.version} "
        f"(sha256:{opened.digest[:12]}…): {through} straight through"
    )


if __name__ == "__main__":
    main()
