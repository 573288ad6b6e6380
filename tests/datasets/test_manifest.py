import json
from dataclasses import replace
from pathlib import Path

import pytest

from mien.datasets.manifest import (
    PreparedFace,
    PreparedSet,
    is_prepared,
    read_prepared,
    write_prepared,
)
from mien.errors import DataError

HEADER = "path,split,emotion,group,source,frame,edition"
FACES = (
    PreparedFace("train/anger/a.png", "train", "anger", "anna", "films/a,b.mp4", 12, "ABAW3"),
    PreparedFace("valid/other/b.png", "valid", "other"),
)
SET = PreparedSet("affwild2", ("anger", "other"), FACES, {"settings": {"seed": 3}})


def test_a_set_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert not is_prepared(tmp_path)
    write_prepared(tmp_path, SET)
    assert is_prepared(tmp_path)
    assert read_prepared(tmp_path) == SET
    assert (tmp_path / "manifest.csv").read_text().splitlines() == [
        HEADER,
        'train/anger/a.png,train,anger,anna,"films/a,b.mp4",12,ABAW3',
        "valid/other/b.png,valid,other,,,,",
    ]
    assert json.loads((tmp_path / "set.json").read_text()) == {
        "format": 1,
        "kind": "affwild2",
        "labels": ["anger", "other"],
        "settings": {"seed": 3},
    }


def test_any_line_end_may_be_in_a_name(tmp_path: Path) -> None:
    names = ("a\rb", "a\nb", "a\r\nb")
    faces = tuple(
        PreparedFace(f"{name}.png", "train", name, f"{name} {name}", name) for name in names
    )
    prepared = PreparedSet("folder", names, faces)
    write_prepared(tmp_path, prepared)
    assert read_prepared(tmp_path) == prepared


def test_probabilities_have_a_column_a_label(tmp_path: Path) -> None:
    faces = tuple(replace(face, probabilities=(0.1 + 0.2, 0.7)) for face in FACES)
    prepared = replace(SET, faces=faces)
    write_prepared(tmp_path, prepared)
    assert read_prepared(tmp_path) == prepared
    lines = (tmp_path / "manifest.csv").read_text().splitlines()
    assert lines[0] == f"{HEADER},p_anger,p_other"


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (PreparedFace("a.png", "dev", "anger"), "the split is 'dev', expected one of train"),
        (PreparedFace("a.png", "train", "joy"), "the emotion is 'joy', expected one of anger"),
        (PreparedFace("../a.png", "train", "anger"), "'../a.png' is no path inside the folder"),
        (PreparedFace("/a.png", "train", "anger"), "'/a.png' is no path inside the folder"),
        (PreparedFace("C:/a.png", "train", "anger"), "'C:/a.png' is no path inside"),
        (PreparedFace("", "train", "anger"), "'' is no path inside the folder"),
        (PreparedFace("./a.png", "train", "anger"), "the path is './a.png', expected 'a.png'"),
        (FACES[0], "'train/anger/a.png' appears twice"),
        (PreparedFace("a.png", "test", "anger", "anna"), "'anna' stands in train and in test"),
        (
            PreparedFace("a.png", "train", "anger", probabilities=(0.5, 0.5)),
            "some faces have probabilities and some have none",
        ),
    ],
)
def test_a_face_that_contradicts_the_set_is_not_written(
    tmp_path: Path, face: PreparedFace, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_prepared(tmp_path, replace(SET, faces=(*FACES, face)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,train,anger,,,", "line 2: 6 columns, expected 7"),
        ("a.png,train,joy,,,,", "line 2: the emotion is 'joy'"),
        ("a.png,train,anger,,,-1,", "line 2: frame '-1' is no number of a frame"),
        (f"a.png,train,anger,,,{'9' * 5000},", "line 2: frame '9+' is no number of a frame"),
        ("a.png,train,anger,,,,\n\na.png,train,anger,,,,", "line 4: 'a.png' appears twice"),
    ],
)
def test_a_damaged_row_is_an_error_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    write_prepared(tmp_path, SET)
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(DataError, match=f"manifest.csv, {message}"):
        read_prepared(tmp_path)


def test_a_row_that_is_cut_off_is_an_error_with_its_line(tmp_path: Path) -> None:
    write_prepared(tmp_path, SET)
    (tmp_path / "manifest.csv").write_text(f'{HEADER}\na.png,train,anger,,,,"x\nb.png,train\n')
    with pytest.raises(DataError, match=r"manifest.csv, line 3: not a readable CSV file"):
        read_prepared(tmp_path)


def test_a_manifest_that_lacks_faces_is_refused(tmp_path: Path) -> None:
    write_prepared(tmp_path, replace(SET, details={"report": {"faces": len(SET.faces) + 1}}))
    with pytest.raises(DataError, match=r"manifest.csv: \d faces, expected the \d that set.json"):
        read_prepared(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("0.5,0.4", "the probabilities sum to 0.9, expected 1"),
        ("0.5,nan", "'nan' is no probability"),
        ("1.5,-0.5", "'1.5' is no probability"),
    ],
)
def test_probabilities_are_checked(tmp_path: Path, values: str, message: str) -> None:
    write_prepared(tmp_path, SET)
    (tmp_path / "manifest.csv").write_text(
        f"{HEADER},p_anger,p_other\na.png,train,anger,,,,,{values}\n"
    )
    with pytest.raises(DataError, match=f"line 2: {message}"):
        read_prepared(tmp_path)


def test_a_header_of_other_columns_is_an_error(tmp_path: Path) -> None:
    write_prepared(tmp_path, SET)
    (tmp_path / "manifest.csv").write_text("path,label\n")
    with pytest.raises(DataError, match="line 1: the header is 'path,label', expected 'path,spl"):
        read_prepared(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a readable JSON file"),
        ("[" * 100_000, "not a readable JSON file"),
        ("[1]", r"the format is '\[1\]', expected 1"),
        ('{"format": 2}', "the format is '2', expected 1"),
        ('{"format": 1, "labels": ["anger"]}', "the kind is None"),
        ('{"format": 1, "kind": "folder"}', "the labels are None"),
        ('{"format": 1, "kind": "folder", "labels": []}', "expected different names"),
        ('{"format": 1, "kind": "folder", "labels": ["a", "a"]}', "expected different names"),
        ('{"format": 1, "kind": "folder", "labels": [".."]}', "'..' is no name for a class"),
    ],
)
def test_a_damaged_set_file_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    write_prepared(tmp_path, SET)
    (tmp_path / "set.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_prepared(tmp_path)


def test_a_folder_without_a_set_file_is_unfinished(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no set\.json, so no finished set of faces"):
        read_prepared(tmp_path)
