import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mien.cli.app import app
from mien.datasets.inspection import inspect
from mien.datasets.manifest import PreparedFace, PreparedSet, write_prepared
from mien.errors import ConfigError, DataError
from mien.images import read_image
from tests.made import write_ferplus


def face(path: str, group: str = "", sure: float = 1.0) -> PreparedFace:
    split, emotion, _ = path.split("/")
    return PreparedFace(path, split, emotion, group, probabilities=(sure, 1 - sure))


FACES = (
    face("train/anger/a.png", "p1"),
    face("train/anger/copy.png", "p1", 0.5),
    face("train/anger/torn.png", "p2"),
    face("train/fear/other.png", "p3"),
    face("valid/fear/same.png", "p4", 0.25),
    face("valid/fear/lost.png"),
)
COLORS = {"other": (1, 2, 3)}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Three copies of one picture, a torn file, and one that is lost."""
    folder = tmp_path / "faces"
    for one in FACES:
        path = folder / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), COLORS.get(path.stem, (7, 7, 7))).save(path)
    Image.new("L", (20, 20), 7).save(folder / "train/anger/copy.png")
    (folder / "train/anger/torn.png").write_bytes(b"\x89PNG")
    (folder / "valid/fear/lost.png").unlink()
    write_prepared(folder, PreparedSet("folder", ("anger", "fear"), FACES))
    return folder


def test_counts_doubt_copies_and_broken_files(prepared: Path) -> None:
    found = inspect(prepared)
    assert found.counts() == {"train": {"anger": 3, "fear": 1}, "valid": {"anger": 0, "fear": 2}}
    assert found.imbalance() == {"train": 3, "valid": 1}
    assert found.groups() == {"train": 3, "valid": 1}
    assert found.doubts()["train"] == {"anger": pytest.approx(1 / 3), "fear": 0}
    assert found.doubts()["valid"] == {"fear": pytest.approx(0.8113 / 2, abs=1e-4)}
    assert found.copies == (("train/anger/a.png", "train/anger/copy.png", "valid/fear/same.png"),)
    assert found.copy_counts() == {
        "train: copies within": 1,
        "valid: also in train": 1,
        "same picture, other class": 1,
    }
    assert found.broken["valid/fear/lost.png"] == "no such file"
    assert found.broken["train/anger/torn.png"].startswith("not a whole picture")
    assert len(found.broken) == 2


def test_a_picture_of_another_size_is_broken(prepared: Path) -> None:
    Image.new("L", (50, 60), 7).save(prepared / "train/anger/torn.png")
    Image.new("L", (30, 30), 7).save(prepared / "valid/fear/same.png")
    assert inspect(prepared).broken == {
        "train/anger/torn.png": "50 x 60 pixels, the others 20 x 20",
        "valid/fear/lost.png": "no such file",
    }


def test_the_sheet_has_a_row_a_class(prepared: Path) -> None:
    sheet = inspect(prepared).sheet(5)
    assert sheet.shape == (204, 354, 3)
    assert sheet[50, 200].tolist() == sheet[50, 300].tolist() == [7, 7, 7]
    assert {tuple(sheet[150, column].tolist()) for column in (200, 300)} == {(7, 7, 7), (1, 2, 3)}


def test_a_ferplus_folder_is_counted_by_its_majorities(tmp_path: Path) -> None:
    write_ferplus(tmp_path, {"FER2013Train": 16, "FER2013Valid": 8})
    shutil.copy(tmp_path / "FER2013Train/fer0000000.png", tmp_path / "FER2013Valid/fer0000001.png")
    label_file = tmp_path / "FER2013Valid/label.csv"
    lines = label_file.read_text().splitlines()
    lines[2] = 'fer0000002.png,"(0, 0, 48, 48)",5,5,0,0,0,0,0,0,0,0'
    label_file.write_text("\n".join(lines) + "\n")

    found = inspect(tmp_path)
    assert found.labels[-1] == "no majority"
    assert found.counts()["train"] == {**dict.fromkeys(found.labels, 2), "no majority": 0}
    assert found.counts()["valid"]["no majority"] == 1
    assert found.doubts()["valid"]["no majority"] == 1
    assert found.copy_counts()["valid: also in train"] == 1
    assert list(inspect(tmp_path, ["valid"]).counts()) == ["valid"]


def test_what_is_no_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set, expected set\.json or FER2013Train"):
        inspect(tmp_path)
    with pytest.raises(ConfigError, match="split 'dev', expected one of train, valid, test"):
        inspect(tmp_path, ["dev"])


def test_a_split_that_is_not_there_is_an_error(prepared: Path) -> None:
    with pytest.raises(DataError, match=r"faces: no picture is in the split 'test'"):
        inspect(prepared, ["train", "test"])


def test_the_command_shows_what_it_found(prepared: Path, tmp_path: Path) -> None:
    arguments = ["data", "inspect", str(prepared), "--sheet", str(tmp_path / "sheet.png")]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["anger", "3", "75.0%", "0", "0.0%"] in lines
    assert ["valid:", "also", "in", "train", "1"] in lines
    assert ["train:", "largest", "class", "over", "smallest", "3.0"] in lines
    assert "valid/fear/lost.png: no such file" in shown.stdout
    assert read_image(tmp_path / "sheet.png").shape == (204, 354, 3)

    shown = CliRunner().invoke(app, [*arguments, "--json"])
    content = json.loads(shown.stdout)
    assert content["counts"]["train"] == {"anger": 3, "fear": 1}
    assert np.isclose(content["entropy_bits"]["train"]["anger"], 1 / 3)


def test_a_sheet_that_could_not_be_written_is_refused_at_once(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "inspect", str(tmp_path), "--sheet", "sheet.xyz"])
    assert done.exit_code == 1
    assert "sheet.xyz: no picture format has this ending" in done.stderr
    done = CliRunner().invoke(app, ["data", "inspect", str(tmp_path), "--sheet", str(tmp_path)])
    assert done.exit_code == 1
    assert "is a folder, expected the name of a file" in done.stderr


def test_counts_are_shown_though_the_sheet_can_not_be_written(
    prepared: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.blp"
    done = CliRunner().invoke(app, ["data", "inspect", str(prepared), "--sheet", str(sheet)])
    assert done.exit_code == 1
    assert "broken files" in done.stdout
    assert f"mien: {sheet}: can't be written as BLP (" in done.stderr
    assert not sheet.exists()
