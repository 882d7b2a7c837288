"""From a table to the model's inputs."""

import pandas as pd

from . import config


def select(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the features by name, so that neither order nor further columns matter."""
    missing = [name for name in config.FEATURES if name not in frame.columns]
    if missing:
        raise ValueError(f"columns missing: {', '.join(missing)}")
    return frame[list(config.FEATURES)].astype("float64")


def example() -> pd.DataFrame:
    """Two made-up member-years to log with the model: no member's row leaves with it."""
    healthy = dict.fromkeys(config.FEATURES, 0.0) | {"lncoins": 4.61512, "disea": 4.0}
    ill = dict.fromkeys(config.FEATURES, 0.0) | {"physlm": 1.0, "disea": 30.0, "hlthp": 1.0}
    return pd.DataFrame([healthy, ill], columns=list(config.FEATURES))
