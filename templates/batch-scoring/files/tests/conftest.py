"""For every test: no usage data leaves, no test needs a network, and none waits for busy cores."""

import os
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
# Read when scikit-learn is first imported: after this file, before any test.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def project() -> Path:
    return Path(__file__).parent.parent
