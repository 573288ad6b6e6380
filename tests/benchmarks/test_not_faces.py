"""Answers to cuts without a face, beside a report."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import not_faces
from mien.cli.app import app
from tests.test_tables import files_of_at_most


def test_what_is_measured_stands_beside_the_report_whole_or_not_at_all(
    ferplus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ["--data-dir", str(ferplus_dir), "--split", "test", "--model", "default-int8"]
    done = CliRunner().invoke(app, ["validate", *data, "--report", str(tmp_path)])
    assert done.exit_code == 0
    monkeypatch.setattr("sys.argv", ["not_faces.py", str(tmp_path)])
    names = {path.name for path in tmp_path.iterdir()} | {"not_faces.json", "not_faces.csv"}
    not_faces.main()
    kinds = [one["kind"] for one in json.loads((tmp_path / "not_faces.json").read_text())["kinds"]]
    with (tmp_path / "not_faces.csv").open(newline="") as file:
        rows = [row["kind"] for row in csv.DictReader(file)]
    assert rows == [kind for kind in kinds for _ in range(not_faces.CUTS_OF_EACH)]

    for path in (tmp_path / "not_faces.json", tmp_path / "not_faces.csv"):
        path.write_text("earlier")
    for size in (1000, 10_000):  # less than either file, and than the table
        with files_of_at_most(size), pytest.raises(OSError, match="File too large"):
            not_faces.main()
        assert (tmp_path / "not_faces.json").read_text() == "earlier"
        assert (tmp_path / "not_faces.csv").read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == names
