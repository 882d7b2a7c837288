"""Training and test part, by a hash of the feature row.

The data holds members of several years without an id, so equal feature rows are often one person.
A split by row would put copies into both parts and flatter the score.
"""

import hashlib

import pandas as pd

from . import config, features


def in_test(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Mark the rows of the test part: the same row always falls on the same side."""
    rows = features.select(frame).to_numpy().tolist()
    marks = [_share(row) < config.TEST_SHARE for row in rows]
    return pd.Series(marks, index=frame.index, dtype=bool)


def parts(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows."""
    test = in_test(frame)
    return frame[~test].reset_index(drop=True), frame[test].reset_index(drop=True)


def _share(row: list[float]) -> float:
    text = ",".join(repr(float(value) + 0.0) for value in row)
    digest = hashlib.sha256(f"{config.SPLIT_SALT}|{text}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
