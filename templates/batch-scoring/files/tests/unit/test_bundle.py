"""What Databricks' own checks take as any string: modes, who runs it, which model is read."""

from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="session")
def bundle(project: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((project / "databricks.yml").read_text()))


@pytest.fixture(scope="session")
def jobs(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((project / "resources").glob("*.job.yml")):
        found |= yaml.safe_load(path.read_text())["resources"]["jobs"]
    return found


def test_three_targets_and_their_modes(bundle: dict[str, Any]) -> None:
    modes = {name: target["mode"] for name, target in bundle["targets"].items()}
    assert modes == {"dev": "development", "test": "production", "prod": "production"}


@pytest.mark.parametrize("target", ["test", "prod"])
def test_no_person_runs_what_is_shared(target: str, bundle: dict[str, Any]) -> None:
    run_as = bundle["targets"][target]["run_as"]
    assert run_as == {"service_principal_name": "${var.run_as}"}


def test_each_target_has_a_catalog_of_its_own(bundle: dict[str, Any]) -> None:
    catalogs = [target["variables"]["catalog"] for target in bundle["targets"].values()]
    assert len(set(catalogs)) == 3


def test_scoring_reads_the_champion_of_its_own_environment(
    jobs: dict[str, Any], project: Path
) -> None:
    name = yaml.safe_load((project / "factory.yaml").read_text())["model"]["name"]
    (task,) = jobs["scoring"]["tasks"]
    parameters = task["python_wheel_task"]["named_parameters"]
    assert parameters["model"] == f"models:/${{var.catalog}}.{name}@champion"


def test_entry_points_are_declared(jobs: dict[str, Any], project: Path) -> None:
    pyproject = (project / "pyproject.toml").read_text()
    for job in jobs.values():
        for task in job["tasks"]:
            entry_point = task["python_wheel_task"]["entry_point"]
            assert f"\n{entry_point} = " in pyproject


def test_the_deployment_job_waits_for_its_approval(jobs: dict[str, Any]) -> None:
    job = jobs["deployment"]
    assert [each["name"] for each in job["parameters"]] == ["model_name", "model_version"]
    assert job["max_concurrent_runs"] == 1
    before: dict[str, list[str]] = {
        task["task_key"]: [each["task_key"] for each in task.get("depends_on", [])]
        for task in job["tasks"]
    }
    assert before == {"evaluate": [], "approval": ["evaluate"], "deploy": ["approval"]}
    assert {task["max_retries"] for task in job["tasks"]} == {0}


def test_the_deployment_job_writes_beside_what_people_use(jobs: dict[str, Any]) -> None:
    written = {
        name: task["python_wheel_task"]["named_parameters"]["output"]
        for name in ("scoring", "deployment")
        for task in jobs[name]["tasks"]
        if task["python_wheel_task"]["entry_point"] == "score"
    }
    assert written["deployment"] == f"{written['scoring']}_trial"
