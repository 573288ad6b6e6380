import re
from pathlib import Path

import pytest

from mien.datasets.vote_table import (
    REPOSITORY_EDITION,
    TABLE_EDITION,
    VoteRow,
    edition,
    edition_digest,
    first_of_each_name,
    read_label_file,
    read_vote_table,
    votes_array,
    write_label_file,
)
from mien.errors import DataError

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
USAGE_OF = {
    "FER2013Train": "Training",
    "FER2013Valid": "PublicTest",
    "FER2013Test": "PrivateTest",
}


def test_table_rows_keep_their_line_usage_name_and_votes(tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_text(f"{HEADER}\nTraining,a.png,4,0,0,1,3,2,0,0,0,0\n\nPublicTest,,{'0,' * 9}10\n")
    assert read_vote_table(path) == [
        VoteRow(2, "Training", "a.png", (4, 0, 0, 1, 3, 2, 0, 0, 0, 0)),
        VoteRow(4, "PublicTest", "", (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)),
    ]


@pytest.mark.parametrize("box", ['"(0, 0, 48, 48)",', ""], ids=["12 columns", "11 columns"])
def test_label_files_of_both_forms_are_read(tmp_path: Path, box: str) -> None:
    path = tmp_path / "label.csv"
    path.write_text(f"a.png,{box}4,0,0,1,3,2,0,0,0,0\nb.png,{box}0,1,2,3,4,5,6,7,8,9\n")
    assert read_label_file(path) == [
        VoteRow(1, "", "a.png", (4, 0, 0, 1, 3, 2, 0, 0, 0, 0)),
        VoteRow(2, "", "b.png", (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
    ]


def test_label_files_are_written_as_the_repository_has_them(tmp_path: Path) -> None:
    path = tmp_path / "label.csv"
    write_label_file(path, [VoteRow(7, "Training", "fer0000000.png", (4, 0, 0, 1, 3, 2, *[0] * 4))])
    assert path.read_bytes() == b'fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0\n'


def test_a_name_with_a_carriage_return_comes_back(tmp_path: Path) -> None:
    row = VoteRow(1, "", "a\rb.png", (4, 0, 0, 1, 3, 2, 0, 0, 0, 0))
    write_label_file(tmp_path / "label.csv", [row])
    assert [found._replace(line=1) for found in read_label_file(tmp_path / "label.csv")] == [row]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("", "", "line 1: the header is '', expected 'Usage,Image name,neutral"),
        ("Usage,name", "", "line 1: the header is 'Usage,name', expected 'Usage,Image name"),
        (HEADER.replace("fear,contempt", "contempt,fear"), "", "line 1: the header is"),
        (HEADER, "Training,a.png,4,0,0,1,3,2,0,0,0", "line 2: 11 columns, expected 12"),
        (HEADER, "Training,a.png,4,0,0,1,3,2,0,0,0,0,0", "line 2: 13 columns, expected 12"),
        (HEADER, "Training,a.png,4,0,0,-1,3,2,0,0,0,0", "line 2: '-1' is no number of votes"),
        (HEADER, "Training,a.png,4,0,0,x,3,2,0,0,0,0", "line 2: 'x' is no number of votes"),
        (HEADER, "Training,a.png,4,0,0,,3,2,0,0,0,0", "line 2: '' is no number of votes"),
        (HEADER, "Training,a.png,4,0,0,²,3,2,0,0,0,0", "line 2: '²' is no number of votes"),
        (HEADER, "Training,a.png,4,0,0,1.5,3,2,0,0,0,0", "line 2: '1.5' is no number of votes"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, header: str, row: str, message: str) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(f"{path}, {message}")):
        read_vote_table(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.png,0,0,0,0,0,0,0,0,0", "10 columns, expected an image name, a face box and 10 votes"),
        ('b.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,0,0', "13 columns, expected an image name"),
        (",0,0,0,0,0,0,0,0,0,0", "the image name is empty"),
        ("../b.png,0,0,0,0,0,0,0,0,0,0", "'../b.png' is no name of an image"),
        ("b.png,0,0,0,0,0,0,0,0,0,-2", "'-2' is no number of votes (0, 1, 2, ...)"),
        ("b.png,0,0,0,0,0,0,0,0,0,many", "'many' is no number of votes (0, 1, 2, ...)"),
    ],
)
def test_a_wrong_label_file_is_refused(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "label.csv"
    path.write_text(f"a.png,0,0,0,0,0,0,0,0,0,0\n{row}\n")
    with pytest.raises(DataError, match=re.escape(f"{path}, line 2: {message}")):
        read_label_file(path)


def test_a_missing_file_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    path = tmp_path / "label.csv"
    with pytest.raises(DataError, match=f"{path}: no such file"):
        read_label_file(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=f"{path}: not a readable CSV file"):
        read_label_file(path)


def test_of_rows_with_one_name_the_first_counts_and_nameless_rows_do_not() -> None:
    rows = [VoteRow(n, "", name, (n,) * 10) for n, name in enumerate(["b", "", "a", "b", ""])]
    assert [row.line for row in first_of_each_name(rows)] == [0, 2]
    assert votes_array(first_of_each_name(rows)).tolist() == [[0] * 10, [2] * 10]
    assert votes_array([]).shape == (0, 10)


def test_the_digest_is_of_names_and_votes_in_any_order() -> None:
    rows = [VoteRow(n, "", f"{n}.png", (n,) * 10) for n in range(3)]
    assert edition_digest(rows) == edition_digest([rows[2]._replace(line=9), rows[0], rows[1]])
    assert edition_digest(rows) != edition_digest(rows[:2])
    assert edition_digest(rows) != edition_digest([*rows[:2], rows[2]._replace(votes=(1,) * 10)])


@pytest.mark.parametrize("folder", USAGE_OF)
def test_published_editions_are_recognised(shared: Path, folder: str) -> None:
    labels = read_label_file(shared / "data" / "ferplus-labels" / folder / "label.csv")
    table = read_vote_table(shared / "data" / "fer2013new.csv")
    named = first_of_each_name([row for row in table if row.usage == USAGE_OF[folder]])
    assert edition(labels) == REPOSITORY_EDITION
    assert edition(named) == TABLE_EDITION
    assert edition(named[1:]) == "votes of no published edition"
