import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mien import ConfigError
from mien.labels import EMOTIONS
from mien.results import TrackedFace
from mien.streaming import StreamFrame
from mien.tables import columns, open_picture_table, open_table, picture_columns


def face(track_id: int) -> TrackedFace:
    emotions = dict.fromkeys(EMOTIONS, 0.0) | {"happiness": 0.9, "neutral": 0.1}
    result: TrackedFace = {
        "box": [1, 2, 30, 40],
        "face_confidence": 0.99,
        "landmarks": None,
        "track_id": track_id,
        "emotion": "happiness",
        "confidence": 0.9,
        "emotions": emotions,
        "uncertainty": 0.15,
        "candidates": ["happiness", "neutral"],
        "face_likeness": 0.98,
        "uncertain": False,
        "raw_emotions": dict(reversed(list(emotions.items()))),
    }
    return result


def frame(number: int, *faces: TrackedFace) -> StreamFrame:
    return StreamFrame(number, np.zeros((50, 60, 3), np.uint8), number / 30, list(faces))


FRAMES = [frame(0, face(1), face(2)), frame(1), frame(2, face(2))]
HEAD = (
    "frame,time_s,track_id,x,y,width,height,face_confidence,emotion,confidence,uncertainty,"
    "face_likeness,uncertain,candidates,p_neutral,p_happiness,p_surprise,p_sadness,p_anger,"
    "p_disgust,p_fear,p_contempt"
)


def test_csv_has_a_row_a_face_and_one_for_a_frame_without(tmp_path: Path) -> None:
    with open_table(tmp_path / "table.csv", EMOTIONS, is_smoothed=False) as table:
        for one in FRAMES:
            table.write(one)
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0] == HEAD
    assert lines[1].startswith("0,0.0,1,1,2,30,40,0.99,happiness,0.9,0.15,0.98,False,happiness|neu")
    assert lines[3] == "1,0.033333" + "," * 20
    assert [line.split(",")[2] for line in lines[1:]] == ["1", "2", "", "2"]


def test_unsmoothed_probabilities_follow(tmp_path: Path) -> None:
    with open_table(tmp_path / "table.csv", EMOTIONS, is_smoothed=True) as table:
        table.write(FRAMES[0])
    with (tmp_path / "table.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert list(row)[-8:] == [f"raw_{label}" for label in EMOTIONS]
    assert float(row["raw_happiness"]) == 0.9


def test_json_lines_hold_what_csv_holds(tmp_path: Path) -> None:
    with open_table(tmp_path / "table.jsonl", EMOTIONS, is_smoothed=False) as table:
        for one in FRAMES:
            table.write(one)
    found = [json.loads(line) for line in (tmp_path / "table.jsonl").read_text().splitlines()]
    assert [list(row) for row in found] == [columns(EMOTIONS, is_smoothed=False)] * 4
    assert found[0]["candidates"] == ["happiness", "neutral"]
    assert [row["track_id"] for row in found] == [1, 2, None, 2]
    assert found[2]["candidates"] is None


def test_names_of_candidates_may_hold_the_separator(tmp_path: Path) -> None:
    pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
    one = face(1)
    one["emotions"] = {"calm|glad": 0.75, "tense": 0.25}
    one["candidates"] = ["calm|glad", "tense"]
    for name in ("table.csv", "table.jsonl", "table.parquet"):
        labels = tuple(one["emotions"])
        with open_table(tmp_path / name, labels, is_smoothed=False) as table:
            table.write(frame(0, one))
            table.write(frame(1))
    rows = [json.loads(line) for line in (tmp_path / "table.jsonl").read_text().splitlines()]
    assert [row["candidates"] for row in rows] == [["calm|glad", "tense"], None]
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [row["candidates"] for row in csv.DictReader(file)] == ["calm|glad|tense", ""]
    rows = pyarrow_parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert [row["candidates"] for row in rows] == ["calm|glad|tense", None]


def test_parquet_keeps_the_kinds_of_values(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with open_table(tmp_path / "table.parquet", EMOTIONS, is_smoothed=False) as table:
        for one in FRAMES * 500:
            table.write(one)
    found = parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert len(found) == 2000
    assert found[0] | {"time_s": 0.0} == found[0]
    assert (found[0]["x"], found[0]["uncertain"]) == (1, False)
    assert found[2]["emotion"] is None


def test_pictures_have_tables_of_their_own(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with open_picture_table(tmp_path / "table.parquet", EMOTIONS) as table:
        table.write_picture("a.jpg", [face(1), face(2)])
        table.write_picture("b.jpg", [])
        table.write_picture("c.jpg", (one for one in [face(1)]))
    rows = parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert [row["image"] for row in rows] == ["a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    assert list(rows[0]) == picture_columns(EMOTIONS)
    assert rows[0]["p_happiness"] == 0.9
    assert [row["x"] is None for row in rows] == [False, False, True, False]


def test_rows_can_be_read_before_the_table_is_closed(tmp_path: Path) -> None:
    for name in ("table.csv", "table.jsonl"):
        table = open_table(tmp_path / name, EMOTIONS, is_smoothed=False)
        table.write(FRAMES[0])
        text = (tmp_path / name).read_text()
        assert text.endswith("\n")
        assert text.count("happiness|neutral") + text.count('["happiness", "neutral"]') == 2
        table.close()


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "table.parquet"])
def test_a_table_may_be_closed_twice(name: str, tmp_path: Path) -> None:
    with open_table(tmp_path / name, EMOTIONS) as table:
        table.write(FRAMES[0])
        table.close()
        content = (tmp_path / name).read_bytes()
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "table.parquet"])
def test_a_table_that_is_closed_takes_no_rows(name: str, tmp_path: Path) -> None:
    with open_table(tmp_path / name, EMOTIONS) as table:
        table.write(FRAMES[0])
    content = (tmp_path / name).read_bytes()
    with pytest.raises(ConfigError, match=rf"{name}: rows came after the table was closed"):
        table.write(FRAMES[1])
    table.close()
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_folder_is_no_table(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=rf"{name}: is a folder, expected the name of a file"):
        open_table(tmp_path / name, EMOTIONS)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_endings_may_be_in_capitals(tmp_path: Path) -> None:
    with open_table(tmp_path / "table.CSV", EMOTIONS, is_smoothed=False):
        pass
    assert (tmp_path / "table.CSV").read_text().startswith("frame,time_s,")


def test_a_face_with_other_emotions_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"a face has .*, but the table calm, tense"),
        open_table(tmp_path / "table.csv", ("calm", "tense")) as table,
    ):
        table.write(FRAMES[0])


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in one of \.csv, \.jsonl, \.parquet"):
        open_table(tmp_path / "table.xlsx", EMOTIONS, is_smoothed=False)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_table_goes_on_when_there_is_room_again(tmp_path: Path, name: str) -> None:
    first, lost, last = (frame(number, face(1)) for number in range(3))
    with open_table(tmp_path / name, EMOTIONS) as table:
        table.write(first)
        full = (tmp_path / name).stat().st_size + 10
        with files_of_at_most(full), pytest.raises(OSError, match="can't be written to"):
            table.write(lost)
        table.write(last)
    with open_table(tmp_path / f"other-{name}", EMOTIONS) as table:
        table.write(first)
        table.write(last)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"other-{name}").read_bytes()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Inside, files can't grow larger, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [40_000, 200_000, 500_000])
def test_parquet_keeps_all_rows_before_the_disk_was_full(tmp_path: Path, size: int) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path, written = tmp_path / "t.parquet", 0
    with files_of_at_most(size), open_table(path, EMOTIONS, is_smoothed=True) as table:
        message = r"t\.parquet: can't be written to \(File too large\)"
        with pytest.raises(OSError, match=message):  # noqa: PT012 (how many rows fit is not known)
            for written in range(10_000):
                table.write(frame(written, face(1)))
    found = parquet.read_table(path).to_pylist()
    assert [row["frame"] for row in found] == list(range(written))
    assert written > 10
    assert [one.name for one in tmp_path.iterdir()] == ["t.parquet"]


def test_no_room_for_parquet_at_all_leaves_no_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large"):
        open_table(tmp_path / "t.parquet", EMOTIONS, is_smoothed=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_full_device_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    message = rf"{name}: can't be written to \(No space left on device\)"
    with pytest.raises(OSError, match=message):  # noqa: SIM117
        with open_table(tmp_path / name, EMOTIONS, is_smoothed=False) as table:
            table.write(FRAMES[0])


def test_what_belongs_into_another_table_is_refused(tmp_path: Path) -> None:
    cut_out = face(1)
    del cut_out["box"]  # type: ignore[misc]
    with open_picture_table(tmp_path / "pictures.csv", EMOTIONS) as pictures:
        with pytest.raises(ConfigError, match=r"pictures\.csv: has no columns frame, time_s"):
            pictures.write(frame(0, face(1)))
        with pytest.raises(ConfigError, match="a face without a box came"):
            pictures.write_picture("a.jpg", [cut_out])
        pictures.write_picture(Path("a.jpg"), [])
    with open_table(tmp_path / "stream.csv", EMOTIONS) as of_stream:
        with pytest.raises(ConfigError, match="a list came, expected a frame of 'stream'"):
            of_stream.write([face(1)])  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"stream\.csv: has no columns image"):
            of_stream.write_picture("a.jpg", [face(1)])
    lines = [path.read_text().splitlines() for path in sorted(tmp_path.iterdir())]
    assert [len(one) for one in lines] == [2, 1]
    assert lines[0][1].startswith("a.jpg,")
