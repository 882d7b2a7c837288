"""For every test: no usage data leaves, and no test needs a network."""

import os
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"


@pytest.fixture(scope="session")
def project() -> Path:
    return Path(__file__).parent.parent
