"""The votes of FER+ in the two forms they are published in: one table, or a label file a folder."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.datasets.csv_file import csv_rows, csv_table, write_csv
from mien.errors import DataError
from mien.labels import VOTE_COLUMNS

TABLE_HEADER = ("Usage", "Image name", *VOTE_COLUMNS)
LABEL_FILE = "label.csv"
FACE_BOX = "(0, 0, 48, 48)"

#: The two published editions of the votes differ in 1,601 of 35,710 images. SHA-256 of each
#: folder's rows, as `edition_digest` takes it.
TABLE_EDITION = "FER+ vote table (fer2013new.csv)"
REPOSITORY_EDITION = "label files of the FER+ repository"
EDITIONS = {
    "ffa36548cd6bb8ff6a29b9590f6516d0e80c6e95d29d0e8caead614f1bc6ab34": TABLE_EDITION,
    "773bca9bf29252db7babc17c93d956640abf162872f9d5c93e135578c42349cf": TABLE_EDITION,
    "0c1675abd5f1aa80f58f17c3bc773f23f6a9867aa738ab64510314c017df565d": TABLE_EDITION,
    "8091161e404eca9ebe026304d407fa5e36c691f28e8c128964806a9c3fdab454": REPOSITORY_EDITION,
    "ba2273e06da027a2607aa381f2bc58778d2f9f3f9814bc0844e38985a3e844e1": REPOSITORY_EDITION,
    "539ab4f7ecd94ff1cae041dc2854dd6a1bd8803f627695655094ba72b2ae6618": REPOSITORY_EDITION,
}


class VoteRow(NamedTuple):
    """One row of a vote table or a label file; `name` is empty where FER+ names no image."""

    line: int
    usage: str
    name: str
    votes: tuple[int, ...]


def read_vote_table(path: Path) -> list[VoteRow]:
    """Read `fer2013new.csv`.

    Raises:
        DataError: the file can't be read, its header is another, or a vote is no count.
    """
    rows = csv_table(path)
    _, header = next(rows)
    if tuple(name.strip() for name in header) != TABLE_HEADER:
        raise DataError(
            f"{path}, line 1: the header is {','.join(header)[:80]!r}, "
            f"expected {','.join(TABLE_HEADER)!r}"
        )
    return [
        VoteRow(line, cells[0].strip(), _name(path, line, cells[1]), _votes(path, line, cells[2:]))
        for line, cells in rows
    ]


def read_label_file(path: Path) -> list[VoteRow]:
    """Read a folder's `label.csv`: name, face box (left out in an older edition), ten votes.

    Raises:
        DataError: the file can't be read, or a row is of another form.
    """
    found: list[VoteRow] = []
    for line, cells in csv_rows(path):
        if len(cells) not in (11, 12):
            raise DataError(
                f"{path}, line {line}: {len(cells)} columns, expected an image name, "
                f"a face box and {len(VOTE_COLUMNS)} votes"
            )
        name = _name(path, line, cells[0])
        if not name:
            raise DataError(f"{path}, line {line}: the image name is empty")
        found.append(VoteRow(line, "", name, _votes(path, line, cells[-10:])))
    return found


def write_label_file(path: Path, rows: Sequence[VoteRow]) -> None:
    """Write a folder's `label.csv` in the form of the FER+ repository."""
    write_csv(path, ([row.name, FACE_BOX, *row.votes] for row in rows))


def first_of_each_name(rows: Sequence[VoteRow]) -> list[VoteRow]:
    """The rows that name an image; of rows with the same name the first one counts."""
    firsts: dict[str, VoteRow] = {}
    for row in rows:
        if row.name:
            firsts.setdefault(row.name, row)
    return list(firsts.values())


def edition_digest(rows: Sequence[VoteRow]) -> str:
    """SHA-256 of the names and votes of one folder, whatever the order of its rows."""
    lines = sorted(f"{row.name} {' '.join(map(str, row.votes))}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def edition(rows: Sequence[VoteRow]) -> str:
    """Which published edition of the votes one folder holds, in words."""
    return EDITIONS.get(edition_digest(rows), "votes of no published edition")


def votes_array(rows: Sequence[VoteRow]) -> NDArray[np.int64]:
    """The votes (N, 10)."""
    return np.array([row.votes for row in rows], dtype=np.int64).reshape(-1, len(VOTE_COLUMNS))


def _name(path: Path, line: int, cell: str) -> str:
    """A file's name, never a path that would lead out of the data set's folder."""
    name = cell.strip()
    if name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise DataError(f"{path}, line {line}: {name!r} is no name of an image")
    return name


def _votes(path: Path, line: int, cells: Sequence[str]) -> tuple[int, ...]:
    for cell in cells:
        if not re.fullmatch(r"\s*[0-9]{1,6}\s*", cell, re.ASCII):
            raise DataError(f"{path}, line {line}: {cell!r} is no number of votes (0, 1, 2, ...)")
    return tuple(map(int, cells))
