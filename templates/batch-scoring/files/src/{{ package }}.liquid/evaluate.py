"""Metrics, overall and by slice, in the format that factory's model gate reads."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from . import config, data, features, score, split


@dataclass(frozen=True)
class Metric:
    """One measured value and the number of rows behind it."""

    name: str
    value: float
    n: int
    slice: str | None = None

    @property
    def key(self) -> str:
        """Name under which MLflow stores it."""
        return self.name if self.slice is None else f"{self.name}.{self.slice.replace('=', '_')}"


def measure(model: score.Predictor, frame: pd.DataFrame) -> list[Metric]:
    """Quality on labelled rows: overall, then for both groups of every slice."""
    truth = data.label(frame)
    probability = score.probabilities(model, frame)
    found = [
        Metric("roc_auc", float(roc_auc_score(truth, probability)), len(frame)),
        Metric("brier", float(brier_score_loss(truth, probability)), len(frame)),
    ]
    for name in config.SLICES:
        member = (frame[name] >= 0.5).astype("int64")  # noqa: PLR2004  half of a yes/no answer
        for group in (0, 1):
            rows = (member == group).to_numpy()
            value = float(roc_auc_score(truth[rows], probability[rows]))
            found.append(Metric("roc_auc", value, int(rows.sum()), f"{name}={group}"))
    return found


def latency_p95_ms(model: score.Predictor, frame: pd.DataFrame, calls: int = 40) -> Metric:
    """Time of a single-row prediction on one thread: 95th percentile, best of five rounds.

    One thread and the best round, so that a busy neighbour does not fail a fast model; a slow one
    is slow in every round.
    """
    row = features.select(frame.head(1))
    rounds = []
    with threadpool_limits(1):
        model.predict(row)
        for _ in range(5):
            times = []
            for _ in range(calls):
                start = time.perf_counter()
                model.predict(row)
                times.append((time.perf_counter() - start) * 1000)
            rounds.append(float(np.percentile(times, 95)))
    return Metric("latency_p95_ms", min(rounds), calls)


def gap(metrics: Iterable[Metric], name: str, slice_name: str) -> float:
    """Largest distance between the groups of a slice."""
    values = [
        metric.value
        for metric in metrics
        if metric.name == name and (metric.slice or "").startswith(f"{slice_name}=")
    ]
    if not values:
        raise ValueError(f"no {name} by {slice_name}")
    return max(values) - min(values)


def below_limits(metrics: Sequence[Metric]) -> list[str]:
    """Say in words which limits are not met."""
    overall = {metric.name: metric.value for metric in metrics if metric.slice is None}
    distance = gap(metrics, "roc_auc", "physlm")
    found = []
    if overall["roc_auc"] < config.ROC_AUC_FLOOR:
        found.append(f"roc_auc {overall['roc_auc']:.3f} < {config.ROC_AUC_FLOOR}")
    if distance > config.PHYSLM_MAX_GAP:
        found.append(f"gap of roc_auc by physlm {distance:.3f} > {config.PHYSLM_MAX_GAP}")
    if overall.get("latency_p95_ms", 0.0) > config.LATENCY_P95_MS_MAX:
        found.append(f"latency {overall['latency_p95_ms']:.1f} ms > {config.LATENCY_P95_MS_MAX} ms")
    return found


def report(metrics: dict[str, Sequence[Metric]], dataset: str) -> dict[str, Any]:
    """Build the metrics document: `metrics` by model (`candidate`, `champion`)."""
    return {
        "schema": "factory.metrics/v1",
        "metrics": [
            {k: v for k, v in asdict(metric).items() if v is not None}
            | {"model": model, "dataset": dataset}
            for model, values in metrics.items()
            for metric in values
        ],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Judge a model on the test part; exit status 1 when a limit is not met."""
    parser = argparse.ArgumentParser(prog="evaluate", description="Judge a model.")
    parser.add_argument("--model", required=True, help="models:/… or a folder with MLmodel")
    parser.add_argument("--data", default="data/claims.csv", help="CSV, Parquet or table")
    parser.add_argument("--out", help="file for the metrics, as JSON")
    options = parser.parse_args(argv)

    _, test = split.parts(data.labelled(data.read(options.data)))
    with score.open_model(options.model) as opened:
        metrics = [*measure(opened.predictor, test), latency_p95_ms(opened.predictor, test)]
    text = json.dumps(report({"candidate": metrics}, data.frame_sha256(test)), indent=2)
    if options.out:
        Path(options.out).write_text(f"{text}\n")
    else:
        print(text)
    failed = below_limits(metrics)
    if failed:
        sys.exit("; ".join(failed))


if __name__ == "__main__":
    main()
