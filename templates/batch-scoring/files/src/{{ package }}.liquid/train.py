"""Train, and log one run with one model.

`factory train` makes the run and names it in MLFLOW_RUN_ID; by hand `mlflow.start_run` makes one.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from . import config, data, evaluate, features, score, split

# skops is data and not a pickle: the same file here and on Databricks, and loading it builds
# only types that it knows and these two.
TRUSTED_TYPES = [
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]
MODEL_PACKAGES = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def fit(frame: pd.DataFrame, seed: int = config.SEED, **overrides: int | float) -> Pipeline:
    """Fit on the rows given. Same rows, same seed: same model."""
    estimator = HistGradientBoostingClassifier(
        **(config.MODEL_PARAMS | overrides),
        early_stopping=False,
        random_state=seed,
    )
    fill = SimpleImputer(strategy=config.FILL_STRATEGY, keep_empty_features=True)
    model = Pipeline([("fill", fill), ("estimator", estimator)])
    with threadpool_limits(config.TRAINING_THREADS):
        return model.fit(features.select(frame), data.label(frame))


def model_options() -> dict[str, Any]:
    """How the model is stored; said in full, since MLflow's defaults differ on Databricks."""
    return {
        "serialization_format": "skops",
        "skops_trusted_types": TRUSTED_TYPES,
        "pyfunc_predict_fn": "predict_proba",
        "signature": signature(),
        "input_example": features.example(),
        "pip_requirements": [
            f"{name}=={importlib.metadata.version(name)}" for name in MODEL_PACKAGES
        ],
    }


def signature() -> ModelSignature:
    """Nine required numbers in, two probabilities out."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name) for name in config.FEATURES]),
        outputs=Schema([TensorSpec(np.dtype("float64"), (-1, 2))]),
    )


def commit_of(folder: Path) -> str | None:
    """Return the commit that is checked out, or None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(  # noqa: S603  fixed arguments
        [git, "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def run(source: str, seed: int, commit: str | None = None, **overrides: int | float) -> str:
    """Train on `source`, log everything that is needed to judge and repeat it; returns the run."""
    frame, read = data.snapshot(source)
    training, test = split.parts(data.labelled(frame))

    with mlflow.start_run() as active:
        mlflow.log_params(
            {
                **(config.MODEL_PARAMS | overrides),
                "seed": seed,
                "fill": config.FILL_STRATEGY,
                "split_salt": config.SPLIT_SALT,
                "test_share": config.TEST_SHARE,
                "high_visits": config.HIGH_VISITS,
            }
        )
        mlflow.set_tags(read)
        commit = commit or commit_of(Path.cwd())
        if commit:
            mlflow.set_tag("mlflow.source.git.commit", commit)
        for context, rows in (("training", training), ("test", test)):
            _log_input(rows, source, context)

        model = fit(training, seed, **overrides)
        for metric in evaluate.measure(score.in_memory(model), test):
            mlflow.log_metric(metric.key, metric.value)
        mlflow.log_dict(
            {"config": _public_config(), "rows": {"training": len(training), "test": len(test)}},
            "training.json",
        )
        mlflow.sklearn.log_model(model, name="model", **model_options())
        return str(active.info.run_id)


def _log_input(rows: pd.DataFrame, source: str, context: str) -> None:
    sha256 = data.frame_sha256(rows)
    numbers = dict.fromkeys(rows.select_dtypes("number").columns, "float64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow names one source type twice, and warns of it
        dataset = mlflow.data.from_pandas(  # type: ignore[attr-defined]
            rows.astype(numbers),
            source=None if data.is_table(source) else source,
            name=f"{Path(source).stem}-{context}",
            targets=config.TARGET_COLUMN,
            digest=sha256[:36],  # all that MLflow has room for; the whole digest is the tag
        )
    mlflow.log_input(dataset, context=context, tags={"sha256": sha256})


def _public_config() -> dict[str, Any]:
    return {name: value for name, value in vars(config).items() if name.isupper()}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the job and of `python -m`."""
    parser = argparse.ArgumentParser(prog="train", description="Train and log one model.")
    parser.add_argument("--data", default="data/claims.csv", help="CSV, Parquet or table")
    seed = int(os.environ.get("FACTORY_SEED", config.SEED))
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--max-iter", type=int, help="number of trees")
    parser.add_argument("--commit", help="commit to record when this is not a git checkout")
    parser.add_argument("--experiment", help="experiment, where the environment names none")
    parser.add_argument("--run", help="run to train into, in the place of a new one")
    options = parser.parse_args(argv)
    if options.run:
        os.environ["MLFLOW_RUN_ID"] = options.run  # the run knows its experiment
    elif options.experiment:
        mlflow.set_experiment(options.experiment)
    overrides = {} if options.max_iter is None else {"max_iter": options.max_iter}
    run_id = run(options.data, options.seed, options.commit, **overrides)
    print(f"run {run_id}")


if __name__ == "__main__":
    main()
