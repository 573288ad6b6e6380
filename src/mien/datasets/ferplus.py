"""The FER+ data set: FER-2013's pictures and FER+'s votes, joined into folders.

The folders are those that Microsoft's `generate_training_data.py` and the label files of its
repository make together: `FER2013Train`, `FER2013Valid` and `FER2013Test`, each with its
`fer0000000.png`, ... and a `label.csv`.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.datasets.faces import FaceSet, read_face, stacked, write_face
from mien.datasets.fer2013 import PixelRow, read_pixel_rows
from mien.datasets.vote_table import (
    LABEL_FILE,
    VoteRow,
    edition,
    first_of_each_name,
    read_label_file,
    read_vote_table,
    votes_array,
    write_label_file,
)
from mien.errors import DataError


class Split(NamedTuple):
    """One part of the data set: its folder, and what FER-2013's `Usage` column calls it."""

    folder: str
    usage: str


SPLITS = {
    "train": Split("FER2013Train", "Training"),
    "valid": Split("FER2013Valid", "PublicTest"),
    "test": Split("FER2013Test", "PrivateTest"),
}


def prepare(
    fer2013: Path,
    ferplus: Path,
    out: Path,
    labels: Literal["keep", "replace"] | None = None,
    on_row: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Make the data set's folders in `out`, and return the number of images in each split.

    Label files are written last, so that an interrupted run leaves nothing that passes for
    finished; label files that stand already stay whole until new ones take their place.

    Args:
        fer2013: FER-2013's table, as `read_pixel_rows` takes it.
        ferplus: FER+'s vote table.
        out: where the three folders go.
        labels: what happens to label files in `out` that hold other votes: "keep", "replace",
            or an error if None.
        on_row: called with the rows done and the rows there are.

    Raises:
        DataError: a file is damaged, or the two tables do not fit one another.
    """
    table = read_vote_table(ferplus)
    rows_of = _rows_of_splits(ferplus, table)
    to_write = [name for name in SPLITS if _replaces_labels(out, name, rows_of[name], labels)]
    folder_of = {split.usage: out / split.folder for split in SPLITS.values()}
    for folder in folder_of.values():
        folder.mkdir(parents=True, exist_ok=True)

    wanted = {row.line for rows in rows_of.values() for row in rows}
    pairs = zip_longest(read_pixel_rows(fer2013), table)
    for done, (pixels, votes) in enumerate(pairs, start=1):
        _check_pair(fer2013, ferplus, pixels, votes, len(table))
        if votes.line in wanted:
            write_face(folder_of[votes.usage] / votes.name, pixels.pixels)
        if on_row is not None:
            on_row(done, len(table))

    for name in to_write:
        write_label_file(out / SPLITS[name].folder / LABEL_FILE, rows_of[name])
    return {name: len(rows) for name, rows in rows_of.items()}


def read_split(data_dir: Path, split: str) -> FaceSet:
    """Read one of `SPLITS` from the data set's folders, whoever made them.

    Raises:
        DataError: there is no such folder, no label file, an image of it is missing or damaged,
            or the images differ in size.
    """
    folder = data_dir / SPLITS[split].folder
    if not has_split(data_dir, split):
        if not data_dir.is_dir():
            raise DataError(f"{data_dir}: no such folder")
        raise DataError(
            f"{folder}: no {LABEL_FILE}, so no finished data set; make it with 'mien prepare'"
        )
    rows = first_of_each_name(read_label_file(folder / LABEL_FILE))
    if not rows:
        raise DataError(f"{folder / LABEL_FILE}: no rows, expected one per image")
    images = [_read_image(folder, row) for row in rows]
    names = tuple(row.name for row in rows)
    return FaceSet(stacked(images, folder, names), votes_array(rows), names, edition(rows))


def has_split(data_dir: Path, split: str) -> bool:
    """Whether one of `SPLITS` is there and finished."""
    return (data_dir / SPLITS[split].folder / LABEL_FILE).is_file()


def _rows_of_splits(path: Path, table: Sequence[VoteRow]) -> dict[str, list[VoteRow]]:
    """The rows of each split that name an image."""
    name_of = {split.usage: name for name, split in SPLITS.items()}
    rows: dict[str, list[VoteRow]] = {name: [] for name in SPLITS}
    for row in table:
        if row.usage not in name_of:
            raise DataError(
                f"{path}, line {row.line}: Usage is {row.usage!r}, expected one of "
                f"{', '.join(name_of)}"
            )
        rows[name_of[row.usage]].append(row)
    for name, split in SPLITS.items():
        if not any(row.name for row in rows[name]):
            raise DataError(f"{path}: no row names an image for {split.usage}")
    return {name: first_of_each_name(of_split) for name, of_split in rows.items()}


def _replaces_labels(
    out: Path, name: str, rows: Sequence[VoteRow], labels: Literal["keep", "replace"] | None
) -> bool:
    """Whether the label file of a split is to be written."""
    path = out / SPLITS[name].folder / LABEL_FILE
    if not path.exists():
        return True
    differing = _differing_votes(path, rows, damaged_counts=labels == "replace")
    if differing and labels is None:
        raise DataError(
            f"{path}: holds other votes for {differing} images; say whether to keep or "
            "replace them (--labels keep, --labels replace)"
        )
    return differing > 0 and labels == "replace"


def _differing_votes(path: Path, rows: Sequence[VoteRow], damaged_counts: bool) -> int:
    """For how many images a label file holds other votes than `rows`."""
    try:
        there = first_of_each_name(read_label_file(path))
    except DataError:
        if not damaged_counts:
            raise
        there = []
    theirs, ours = ({row.name: row.votes for row in side} for side in (there, rows))
    return sum(theirs.get(name) != ours.get(name) for name in theirs.keys() | ours.keys())


def _check_pair(
    fer2013: Path, ferplus: Path, pixels: PixelRow | None, votes: VoteRow | None, total: int
) -> None:
    if pixels is None:
        raise DataError(f"{fer2013}: fewer rows than the {total} of {ferplus}")
    if votes is None:
        raise DataError(f"{fer2013}, line {pixels.line}: more rows than the {total} of {ferplus}")
    if pixels.usage != votes.usage:
        raise DataError(
            f"{fer2013}, line {pixels.line}: Usage is {pixels.usage!r}, but {votes.usage!r} in "
            f"{ferplus}, line {votes.line}: expected the same order in both"
        )


def _read_image(folder: Path, row: VoteRow) -> NDArray[np.uint8]:
    """Grey (H, W), or RGB (H, W, 3) where the file has colour."""
    path = folder / row.name
    if not path.exists():
        raise DataError(
            f"{folder / LABEL_FILE}, line {row.line}: there is no image {row.name}; "
            "the data set is unfinished"
        )
    return read_face(path)
