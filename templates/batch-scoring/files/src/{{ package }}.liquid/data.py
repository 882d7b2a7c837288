"""Reading and writing tables: CSV and Parquet files here, Unity Catalog tables on Databricks."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from . import config

_TABLE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*){2}$")
_FILE_SUFFIXES = (".csv", ".parquet")


def is_table(source: str) -> bool:
    """Tell the full name of a table (`catalog.schema.table`) from the path of a file."""
    return not source.endswith(_FILE_SUFFIXES) and _TABLE.match(source) is not None


def read(source: str) -> pd.DataFrame:
    """Read a CSV file, a Parquet file or, on Databricks, a table."""
    if is_table(source):
        frame: pd.DataFrame = _spark().table(source).toPandas()
        return frame
    path = Path(source)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path)
    raise ValueError(f"{source}: expected a .csv file, a .parquet file or a table name")


def snapshot(source: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read what is learnt from, with the tags that say what exactly that was.

    Of a table one version is read, whatever is written meanwhile. Its tag is what factory's data
    gate notes of the version that it judged: a model is registered only where both are the same.
    """
    if not is_table(source):
        frame = read(source)
        return frame, {"data.source": source, "data.sha256": sha256_of(source, frame)}
    spark = _spark()
    version = spark.sql(f"DESCRIBE HISTORY {source} LIMIT 1").first()["version"]
    frame = spark.read.option("versionAsOf", version).table(source).toPandas()
    judged = hashlib.sha256(f"delta:{source}@{version}".encode()).hexdigest()
    return frame, {
        "data.source": source,
        "data.sha256": sha256_of(source, frame),
        "data.version": str(version),
        f"factory.data.warehouse/{source}": judged,
    }


def write(frame: pd.DataFrame, target: str) -> None:
    """Write a file in one step, so that no reader sees half of it, or append to a table."""
    if is_table(target):
        _spark().createDataFrame(frame).write.mode("append").saveAsTable(target)
        return
    path = Path(target)
    if path.suffix not in _FILE_SUFFIXES:
        raise ValueError(f"{target}: expected a .csv file, a .parquet file or a table name")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    if path.suffix == ".parquet":
        frame.to_parquet(part, index=False)
    else:
        frame.to_csv(part, index=False, lineterminator="\n")
    os.replace(part, path)


def sha256_of(source: str, frame: pd.DataFrame) -> str:
    """Digest of the file's bytes; a table has none, so its rows as CSV stand in."""
    if is_table(source):
        return frame_sha256(frame)
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frame_sha256(frame: pd.DataFrame) -> str:
    """Digest of the rows as CSV: names the exact rows that a metric was measured on."""
    text = frame.to_csv(index=False, lineterminator="\n", float_format="%.17g")
    return hashlib.sha256(text.encode()).hexdigest()


def label(frame: pd.DataFrame) -> "pd.Series[int]":
    """1 for a member-year with many visits, else 0."""
    return (frame[config.TARGET_COLUMN] >= config.HIGH_VISITS).astype("int64")


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose outcome is known; the others can't be learnt from or judged."""
    return frame[frame[config.TARGET_COLUMN].notna()].reset_index(drop=True)


def _spark() -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415  only there on Databricks

    return SparkSession.builder.getOrCreate()
