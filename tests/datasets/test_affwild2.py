import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mien.cli.app import app
from mien.datasets.affwild2 import LEAST_GAP, choose_frames, prepare
from mien.datasets.affwild2_annotations import read_annotation
from mien.datasets.manifest import PreparedSet, read_prepared
from mien.errors import ConfigError, DataError
from tests.made_releases import EIGHT, FIRST, SEVEN, SIXTH, THIRD, write_affwild2


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("affwild2")
    write_affwild2(root)
    return root


def made(tree: Path, out: Path, keep_other: bool = False, processes: int = 1) -> PreparedSet:
    frames = [tree / "cropped_aligned", tree / "cropped_aligned_new_50_vids"]
    annotations = [tree / "annotations"]
    return prepare(frames, annotations, out, size=24, keep_other=keep_other, processes=processes)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_manifest_holds_what_counts_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    made(tree, tmp_path / "out", keep_other=True)
    assert (tmp_path / "out/manifest.csv").read_text().splitlines() == [
        "path,split,emotion,group,source,frame,edition",
        f"train/neutral/alone-00001.png,train,neutral,alone,alone,1,{FIRST}",
        f"train/happiness/alone-00040.png,train,happiness,alone,alone,40,{FIRST}",
        f"train/surprise/alone-00080.png,train,surprise,alone,alone,80,{FIRST}",
        f"train/fear/duo_left-00040.png,train,fear,duo,duo_left,40,{THIRD}",
        f"train/happiness/duo_right-00090.png,train,happiness,duo,duo_right,90,{THIRD}",
        f"train/sadness/long-00030.png,train,sadness,long,long,30,{SIXTH}",
        f"train/disgust/renewed-00020.png,train,disgust,renewed,renewed,20,{SIXTH}",
        f"train/neutral/short-00060.png,train,neutral,short,short,60,{SIXTH}",
        f"train/surprise/twice-00005.png,train,surprise,twice,twice,5,{SIXTH}",
        f"valid/sadness/anew-00010.png,valid,sadness,anew,anew,10,{SIXTH}",
        f"valid/other/anew-00050.png,valid,other,anew,anew,50,{SIXTH}",
        f"valid/anger/earlier-00003.png,valid,anger,earlier,earlier,3,{FIRST}",
        f"valid/neutral/split_right-00040.png,valid,neutral,split,split_right,40,{THIRD}",
    ]
    prepared = read_prepared(tmp_path / "out")
    assert prepared.labels == (
        *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"),
        "other",
    )
    pictures = {path for path in files(tmp_path / "out") if path.endswith(".png")}
    assert pictures == {face.path for face in prepared.faces}
    assert (tmp_path / "out/skipped.csv").read_text().splitlines()[0] == "source,frame,why,reason"
    assert "\ndamaged,1,damaged,not a whole picture" in (tmp_path / "out/skipped.csv").read_text()
    with Image.open(tmp_path / "out/train/fear/duo_left-00040.png") as picture:
        assert (picture.size, picture.mode) == ((24, 24), "RGB")
        assert np.abs(np.asarray(picture).astype(int) - (40, 100, 50)).max() <= 3


def test_the_report_counts_everything(tree: Path, tmp_path: Path) -> None:
    prepared = made(tree, tmp_path / "out")
    assert prepared.labels[-1] == "fear"
    assert prepared.details["settings"] == {
        "per_video": 8,
        "size": 24,
        "seed": 0,
        "keep_other": False,
    }
    assert prepared.details["report"] == {
        "annotation files": 16,
        "left out: another edition or split counts": 2,
        "left out: training side of a video to validate on": 1,
        "left out: no folder of frames": 1,
        "labels in the files that count": 1221,
        "labels of -1": 1204,
        "labels of a class that is left out": 1,
        "labels without a picture": 3,
        "labels with a picture": 13,
        "pictures without a label": 1,
        "frames chosen": 13,
        "damaged": 1,
        "faces": 12,
    }


def test_two_runs_make_the_same_files(tree: Path, tmp_path: Path) -> None:
    made(tree, tmp_path / "one")
    made(tree, tmp_path / "two", processes=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_the_command_shows_what_it_took(tree: Path, tmp_path: Path) -> None:
    arguments = ["--annotations", str(tree / "annotations"), "--out", str(tmp_path / "out")]
    for folder in ("cropped_aligned", "cropped_aligned_new_50_vids"):
        arguments += ["--frames", str(tree / folder)]
    shown = CliRunner().invoke(app, ["prepare", "affwild2", *arguments])
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert [lines[1], lines[3]] == [["class", "train", "valid"], ["neutral", "2", "1"]]
    assert [lines[7], lines[10]] == [["anger", "0", "1"], ["all", "9", "3"]]
    assert ["damaged", "1"] in lines
    again = CliRunner().invoke(app, ["prepare", "affwild2", *arguments])
    assert again.exit_code == 1
    assert "holds a finished set of faces" in again.stderr


def test_editions_may_be_given_in_the_order_in_which_they_count(tree: Path, tmp_path: Path) -> None:
    prepared = prepare(
        [tree / "cropped_aligned"], [tree / THIRD, tree / SIXTH / "Train_Set/.."], tmp_path / "out"
    )
    (renewed,) = (face for face in prepared.faces if face.source == "renewed")
    assert (renewed.emotion, renewed.edition) == ("anger", "EXPR_Classification_Challenge")


def test_editions_that_links_lead_to_are_found(tree: Path, tmp_path: Path) -> None:
    links = tmp_path / "annotations"
    links.mkdir()
    (links / "edition").symlink_to((tree / THIRD).parent)
    (links / "loop").symlink_to(links)
    prepared = prepare([tree / "cropped_aligned"], [links], tmp_path / "out")
    (renewed,) = (face for face in prepared.faces if face.source == "renewed")
    assert renewed.edition.startswith("annotations/edition/")


def test_a_name_that_no_table_can_hold_is_an_error_at_once(tree: Path, tmp_path: Path) -> None:
    place = tmp_path / "annotations/EXPR_Set/Train_Set"
    place.mkdir(parents=True)
    other = tmp_path / os.fsdecode(b"\xff")
    try:
        (place / os.fsdecode(b"\xff.txt")).write_text(f"{SEVEN}\n0\n")
        other.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    (other / "EXPR_Set").symlink_to(tree / FIRST)
    for annotations in (tmp_path / "annotations", other):
        with pytest.raises(DataError, match=r"a name that is no UTF-8; rename it"):
            prepare([tree / "cropped_aligned"], [annotations], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{EIGHT}\n0\n8\n", "line 3: '8', expected a class from 0 to 7, or -1"),
        (f"{SEVEN}\n7\n", "line 2: '7', expected a class from 0 to 6, or -1"),
        (f"{SEVEN}\n0\n\n0\n", "line 3: '', expected a class"),
        (f"{SEVEN}\n0.5\n", "line 2: '0.5', expected a class"),
        ("valence,arousal\n0,0\n", "line 1: the header is 'valence,arousal', expected Neutral,"),
        ("", "line 1: the header is ''"),
    ],
)
def test_a_broken_line_is_an_error_with_file_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "video.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=re.escape(f"{path}, {message}")):
        read_annotation(path, "train", "")


def test_what_does_not_fit_together_is_an_error(tree: Path, tmp_path: Path) -> None:
    crops, annotations = [tree / "cropped_aligned"], [tree / "annotations"]
    with pytest.raises(DataError, match="nowhere: no such folder"):
        prepare(crops, [tree / "nowhere"], tmp_path / "out")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        prepare([*crops, tree / "nowhere"], annotations, tmp_path / "out")
    with pytest.raises(DataError, match="cropped_aligned: no annotations, expected EXPR_Set"):
        prepare(crops, crops, tmp_path / "out")
    with pytest.raises(DataError, match=r"annotations: no frame to take, .* no folder of frames: "):
        prepare(annotations, annotations, tmp_path / "out")
    with pytest.raises(ConfigError, match="per_video is 0, expected 1 or more"):
        prepare(crops, annotations, tmp_path / "out", per_video=0)
    with pytest.raises(ConfigError, match="size is 8, expected 16 to 1024"):
        prepare(crops, annotations, tmp_path / "out", size=8)
    assert not (tmp_path / "out").exists()


def test_frames_are_spread_over_time_and_classes_and_are_no_neighbours() -> None:
    rare = dict.fromkeys(range(1000, 1100), "fear")
    emotions = dict.fromkeys(range(1, 4001), "neutral") | rare
    frames = choose_frames(emotions, 8, 0, "video")
    assert Counter(emotions[frame] for frame in frames) == {"neutral": 5, "fear": 3}
    assert min(np.diff(frames)) >= LEAST_GAP
    assert np.histogram(frames, 4, (1, 4000))[0].min() >= 1
    assert frames == choose_frames(emotions, 8, 0, "video")
    assert frames != choose_frames(emotions, 8, 1, "video")


def test_a_short_video_gives_few_frames() -> None:
    assert len(choose_frames(dict.fromkeys(range(1, 11), "neutral"), 8, 0, "")) == 1
    assert choose_frames({7: "anger", 37: "anger", 66: "anger"}, 8, 0, "x") in (
        [7, 37],
        [7, 66],
        [37],
    )
    assert choose_frames({}, 8, 0, "") == []
