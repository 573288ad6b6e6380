"""The expression annotations of Aff-Wild2, in the forms in which its editions hold them.

Source: Kollias and Zafeiriou 2019, "Expression, Affect, Action Unit Recognition: Aff-Wild2",
arXiv 1910.04855, and the loaders of the ABAW challenges.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.datasets.names import check_text
from mien.datasets.tree import walk
from mien.errors import DataError

OTHER = "other"
SEVEN = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
EIGHT = (*SEVEN, OTHER)

SPLIT_FOLDERS = {"Train_Set": "train", "Training_Set": "train", "Validation_Set": "valid"}


@dataclass(frozen=True)
class Annotation:
    """One file of annotations: a person in a video.

    Attributes:
        video: the file's name without its ending; the folder of its frames bears it too.
        split: "train" or "valid".
        edition: the folder of its edition, from the one on in which editions were looked for.
        classes: how many classes the edition's header names.
        emotions: one for every frame, from frame 1 on; empty where the frame is to be ignored.
    """

    video: str
    split: str
    edition: str
    classes: int
    emotions: tuple[str, ...]

    @property
    def group(self) -> str:
        """The video; two people in one video are one group."""
        return re.sub("_(left|right)$", "", self.video)


def read_editions(folder: Path) -> list[list[Annotation]]:
    """The annotations of every edition under a folder, the edition that counts most first.

    An edition with more classes counts more; of two with as many, the one whose name is last,
    numbers in it by their value.

    Raises:
        DataError: there are no annotations, a name is not in UTF-8, or a line is broken; the
            message names file and line.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found: dict[str, list[Annotation]] = defaultdict(list)
    for place, names in walk(folder):
        if not _is_split_folder(place, folder):
            continue
        edition = (folder.resolve().name / place.parent.relative_to(folder)).as_posix()
        for path in (place / name for name in names if name.endswith(".txt")):
            check_text(f"{edition}/{path.name}")
            found[edition].append(read_annotation(path, SPLIT_FOLDERS[place.name], edition))
    if not found:
        raise DataError(
            f"{folder}: no annotations, expected EXPR_Set/Train_Set/VIDEO.txt or "
            "EXPR_Recognition_Challenge/Train_Set/VIDEO.txt, say, in it or below"
        )
    return sorted(found.values(), key=_weight, reverse=True)


def read_annotation(path: Path, split: str, edition: str) -> Annotation:
    """Read one file: a header with the classes, then a number per frame, -1 to ignore it.

    Raises:
        DataError: the file can't be read, or a line is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable text file ({error})") from error
    names = _header(path, lines[0] if lines else "")
    emotion_of = {"-1": "", **{str(number): name for number, name in enumerate(names)}}
    try:
        emotions = tuple(emotion_of[line.strip()] for line in lines[1:])
    except KeyError:
        number, wrong = next(
            (number, line)
            for number, line in enumerate(lines[1:], start=2)
            if line.strip() not in emotion_of
        )
        raise DataError(
            f"{path}, line {number}: {wrong[:40]!r}, "
            f"expected a class from 0 to {len(names) - 1}, or -1"
        ) from None
    return Annotation(path.stem, split, edition, len(names), emotions)


def _header(path: Path, line: str) -> Sequence[str]:
    """The classes that the first line names."""
    names = tuple(name.strip().lower() for name in line.split(","))
    if names not in (SEVEN, EIGHT):
        raise DataError(
            f"{path}, line 1: the header is {line[:80]!r}, "
            f"expected {','.join(map(str.capitalize, SEVEN))}, with or without Other"
        )
    return names


def _is_split_folder(place: Path, folder: Path) -> bool:
    """Whether it is Train_Set or the like, of expressions: other annotations stand beside them."""
    return (
        place.name in SPLIT_FOLDERS
        and place != folder
        and (place.parent == folder or place.parent.name.upper().startswith("EXPR"))
    )


def _weight(edition: Sequence[Annotation]) -> tuple[int, list[str | int]]:
    parts = re.split("([0-9]+)", edition[0].edition)
    name = [int(part) if part.isdecimal() else part for part in parts]
    return max(annotation.classes for annotation in edition), name
