import csv
import runpy
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def script(project: Path) -> dict[str, Any]:
    return runpy.run_path(str(project / "scripts" / "derive_data.py"))


def test_only_a_row_number_is_added(script: dict[str, Any], tmp_path: Path) -> None:
    raw, out = tmp_path / "raw.csv", tmp_path / "out.csv"
    raw.write_text("mdvis,disea\n0,13.73189\n7,.5\n")
    assert script["derive"](raw, out) == 2
    assert out.read_text() == ("member_year_id,mdvis,disea\nMY-000001,0,13.73189\nMY-000002,7,.5\n")


def test_an_unknown_raw_file_is_refused(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, out = tmp_path / "raw.csv", tmp_path / "out.csv"
    raw.write_text("mdvis\n0\n")
    monkeypatch.setattr("sys.argv", ["derive_data.py", str(raw), str(out)])
    with pytest.raises(SystemExit, match="is not the known RAND file"):
        script["main"]()
    assert not out.exists()


def test_the_data_is_numbered_from_one(project: Path) -> None:
    with (project / "data" / "claims.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert first["member_year_id"] == "MY-000001"
