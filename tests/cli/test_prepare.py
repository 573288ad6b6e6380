import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mien.cli.app import app
from mien.datasets.ferplus import read_split
from tests.made import write_tables


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    fer2013, ferplus = write_tables(tmp_path)
    return {
        "--fer2013": str(fer2013),
        "--ferplus": str(ferplus),
        "--out": str(tmp_path / "out"),
    }


def arguments(options: dict[str, str]) -> list[str]:
    return ["prepare", "ferplus", *(part for option in options.items() for part in option)]


def invoke(options: dict[str, str]) -> Result:
    return CliRunner().invoke(app, arguments(options))


def test_the_command_makes_the_data_set_and_counts_the_images(options: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mien", *arguments(options)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "train      36 images",
        "valid      10 images",
        "test        8 images",
    ]
    assert done.stderr.startswith("Writing images: 1 of 60\n")
    assert len(read_split(Path(options["--out"]), "train")) == 36


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--fer2013", "missing.csv", "mien: missing.csv: no such file"),
        ("--ferplus", "missing.csv", "mien: missing.csv: no such file"),
        ("--ferplus", __file__, "line 1: the header is"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    options: dict[str, str], option: str, value: str, message: str
) -> None:
    result = invoke({**options, option: value})
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert message in line


def test_a_folder_where_a_file_stands_is_an_error_in_one_line(
    options: dict[str, str], picture: Path
) -> None:
    result = invoke({**options, "--out": str(picture)})
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert str(picture) in line


def test_other_votes_in_the_folder_ask_for_a_choice(options: dict[str, str]) -> None:
    assert invoke(options).exit_code == 0
    label_file = Path(options["--out"]) / "FER2013Test" / "label.csv"
    whole = label_file.read_text()
    label_file.write_text("".join(whole.splitlines(keepends=True)[1:]))

    refused = invoke(options)
    assert refused.exit_code == 1
    assert "holds other votes for 1 images" in refused.stderr
    assert invoke({**options, "--labels": "replace"}).exit_code == 0
    assert label_file.read_text() == whole


def test_another_choice_is_a_wrong_use(options: dict[str, str]) -> None:
    result = invoke({**options, "--labels": "mix"})
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "'mix' is not one of 'keep', 'replace'" in said
