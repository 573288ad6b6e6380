import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mien.cli.app import app
from mien.datasets.ferplus import read_split
from mien.datasets.votes import strict_majority
from mien.labels import EMOTIONS
from tests.made import write_ferplus


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, arguments)])


class Run(NamedTuple):
    scores: dict[str, Any]
    stderr: str
    report: Path


@pytest.fixture(scope="module")
def run(ferplus_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The shipped model on the made test split, by the real command."""
    report = tmp_path_factory.mktemp("validate") / "report"
    command = [sys.executable, "-m", "mien", "validate", "--data-dir", str(ferplus_dir)]
    done = subprocess.run(
        [*command, "--split", "test", "--report", str(report), "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return Run(json.loads(done.stdout), done.stderr, report)


def test_json_says_what_was_measured(run: Run, ferplus_dir: Path) -> None:
    counted = strict_majority(read_split(ferplus_dir, "test").votes)[1].sum()
    assert run.scores["model"] == "default"
    assert run.scores["split"] == "test"
    assert run.scores["protocol"] == "strict majority"
    assert run.scores["votes"] == "votes of no published edition"
    assert run.scores["labels"] == list(EMOTIONS)
    assert run.scores["accuracy"]["count"] == counted
    assert run.scores["accuracy_without_training_duplicates"]["count"] == counted
    assert np.sum(run.scores["confusion"]) == counted
    assert run.scores["certainty"]["uncertain"]["count"] == counted
    assert run.scores["robustness"] is None
    assert run.scores["provenance"]["settings"]["labels"] == list(EMOTIONS)


def test_the_report_is_complete(run: Run) -> None:
    assert {path.name for path in run.report.iterdir()} == {
        "report.html",
        "scores.json",
        "logits.csv",
    }
    assert json.loads((run.report / "scores.json").read_text()) == run.scores
    assert run.stderr == f"Report: {run.report / 'report.html'}\n"


def test_logits_belong_to_the_faces_and_give_the_accuracy(run: Run, ferplus_dir: Path) -> None:
    with (run.report / "logits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    faces = read_split(ferplus_dir, "test")
    majority, counted = strict_majority(faces.votes)
    assert tuple(row["name"] for row in rows) == faces.names
    labels = [EMOTIONS[label] if label >= 0 else "" for label in majority]
    assert [row["label"] for row in rows] == labels
    logits = np.array([[float(row[name]) for name in EMOTIONS] for row in rows])
    right = logits.argmax(axis=1) == majority
    assert right[counted].mean() == run.scores["accuracy"]["value"]


def test_tables_are_shown_by_default_for_the_validation_split(ferplus_dir: Path) -> None:
    result = invoke("--data-dir", ferplus_dir)
    assert result.exit_code == 0
    first, *rest = result.stdout.splitlines()
    assert first == ("default on valid: strict majority by the votes of no published edition")
    assert all(any(row.strip().startswith(name) for row in rest) for name in EMOTIONS)
    assert any(row.strip().startswith("Accuracy") and "160 faces" in row for row in rest)


def test_robustness_is_shown_where_it_is_asked_for(ferplus_dir: Path) -> None:
    result = invoke("--data-dir", ferplus_dir, "--split", "test", "--robustness")
    assert result.exit_code == 0
    assert any(line.strip().startswith("JPEG at quality 20") for line in result.stdout.splitlines())
    assert result.stderr.startswith("Changes: 1 of ")


def test_a_report_of_fewer_sets_leaves_none_of_the_others(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    report, other = tmp_path / "report", tmp_path / "other"
    write_ferplus(other, seed=1)
    sets: list[str | Path] = ["--data-dir", ferplus_dir, "--data-dir", other]
    assert invoke(*sets, "--report", report).exit_code == 0
    assert (report / "2" / "scores.json").is_file()
    assert invoke(*sets, "--report", report).exit_code == 0  # over the first one
    (report / "1" / "notes.txt").write_text("mine")
    assert invoke(*sets[:2], "--report", report).exit_code == 0
    assert [path.name for path in report.glob("[12]/*")] == ["notes.txt"]


def test_a_report_leaves_other_reports_below_it_alone(
    run: Run, ferplus_dir: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "report" / "1"
    shutil.copytree(run.report, kept)
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    one: list[str | Path] = ["--report", kept.parent, "--data-dir", ferplus_dir]
    assert invoke(*one).exit_code == 0
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    refused = invoke(*one, "--data-dir", tmp_path / "missing")  # before it is looked for
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"mien: {kept}: holds a report that does not go with that in {kept.parent}, "
        "expected room for the report on one of 2 data sets\n"
    )
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


def test_a_file_in_the_way_of_the_report_on_a_set_is_told_before_the_work(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "2").write_text("mine")
    both = ("--data-dir", ferplus_dir, "--data-dir", tmp_path / "missing")
    result = invoke(*both, "--report", tmp_path)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert str(tmp_path / "2") in line
    assert "exists" in line


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--report", "", "mien: an empty name came, expected a folder for the report"),
        ("--report", __file__, "File exists"),
        ("--data-dir", "missing", "missing: no such folder"),
        ("--data-dir", "x" * 300, f"mien: {'x' * 300}: can't be read (File name too long)"),
        ("--model", "missing.onnx", "mien: missing.onnx: no such model file"),
        ("--model", __file__, "not a whole ONNX file"),
        ("--device", "abacus", "device is 'abacus', expected one of cpu, cuda, auto"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    ferplus_dir: Path, option: str, value: str, message: str
) -> None:
    result = invoke("--data-dir", ferplus_dir, option, value)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert message in line


def test_a_report_where_a_file_stands_is_an_error_in_one_line(
    ferplus_dir: Path, picture: Path
) -> None:
    result = invoke("--data-dir", ferplus_dir, "--split", "test", "--report", picture)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert str(picture) in line


@pytest.mark.parametrize("split", ["train", "FER2013Test"])
def test_an_unknown_split_is_a_wrong_use(ferplus_dir: Path, split: str) -> None:
    result = invoke("--data-dir", ferplus_dir, "--split", split)
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert f"'{split}' is not one of 'valid', 'test'" in said
