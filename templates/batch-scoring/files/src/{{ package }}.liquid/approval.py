"""The approval task of the deployment job: passes once the version carries the tag it looks for.

`factory` sets the tag after its own rules hold; the task only reads it.
"""

import argparse
import sys
from collections.abc import Sequence

import mlflow

APPROVED = "approved"


def problem(model: str, version: str, task: str) -> str | None:
    """Say why the version is not approved; None when it is."""
    tags = mlflow.MlflowClient().get_model_version(model, version).tags
    said = tags.get(task)
    if said is not None and said.strip().lower() == APPROVED:
        return None
    found = "is not set" if said is None else f"says {said!r}"
    return f"{model} version {version} is not approved: its tag {task!r} {found}"


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the job; the task fails, and waits, until the version is approved."""
    parser = argparse.ArgumentParser(prog="approval", description="Look for an approval.")
    parser.add_argument("--model", required=True, help="full name of the registered model")
    parser.add_argument("--version", required=True, help="its version")
    parser.add_argument("--task", required=True, help="name of the task, which is that of the tag")
    options = parser.parse_args(argv)
    refused = problem(options.model, options.version, options.task)
    if refused:
        sys.exit(f"{refused}; it is approved by factory promote, after factory approve")
    print(f"{options.model} version {options.version} is approved")


if __name__ == "__main__":
    main()
