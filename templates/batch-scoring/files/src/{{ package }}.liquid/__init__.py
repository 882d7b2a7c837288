"""Batch scoring: train on a table, judge the model, score tables with it."""

import os

# MLflow sends usage data unless told otherwise; a project with members' data does not.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__version__ = "0.1.0"
