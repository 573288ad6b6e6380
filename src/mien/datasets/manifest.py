"""The prepared-faces folder: pictures of faces, the table that describes them, and what they are.

    OUT/set.json         format, kind, labels, and what the maker recorded
    OUT/manifest.csv     a row per face
    OUT/train/happiness/NAME.png, OUT/valid/..., OUT/test/...

`set.json` is written last, so that an unfinished folder does not pass for a finished one.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mien.datasets.csv_file import csv_table, write_csv
from mien.errors import DataError
from mien.files import replacing

SET_FILE = "set.json"
MANIFEST_FILE = "manifest.csv"
#: Stands in a folder while it is being made.
BEGUN_FILE = "begun.json"
FORMAT = 1
SPLITS = ("train", "valid", "test")
COLUMNS = ("path", "split", "emotion", "group", "source", "frame", "edition")
PROBABILITY_PREFIX = "p_"

#: How far a probability, and the sum of a face's, may be off: tables round them to two digits.
ROUNDING = 0.005
SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class PreparedFace:
    """One row of the manifest.

    Attributes:
        path: the picture, relative to the folder, with forward slashes.
        split: one of `SPLITS`.
        emotion: one of the set's labels.
        group: the person or the video that the face comes from; empty where unknown.
        source: the file or the video that it was cut from; empty where unknown.
        frame: the number of the frame in the video, or None.
        edition: the edition of the annotations; empty where there is but one.
        probabilities: one for every label of the set, or None where labels are certain.
    """

    path: str
    split: str
    emotion: str
    group: str = ""
    source: str = ""
    frame: int | None = None
    edition: str = ""
    probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True)
class PreparedSet:
    """What a prepared-faces folder holds.

    Attributes:
        kind: what made it, "affwild2" or "folder", say.
        labels: the names of the classes.
        faces: the rows of the manifest, in its order.
        details: what else the maker recorded in `set.json`.
    """

    kind: str
    labels: tuple[str, ...]
    faces: tuple[PreparedFace, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


def is_prepared(folder: Path) -> bool:
    """Whether a folder is a prepared-faces folder, finished or not.

    Raises:
        DataError: it can't be looked at.
    """
    try:
        return any((folder / name).exists() for name in (SET_FILE, MANIFEST_FILE, BEGUN_FILE))
    except OSError as error:
        raise DataError(f"{folder}: can't be read ({error.strerror})") from error


def write_prepared(folder: Path, prepared: PreparedSet) -> None:
    """Write `manifest.csv` and then `set.json`; the pictures stand in the folder already.

    Raises:
        DataError: a face contradicts the set, or a group stands in two splits.
    """
    check_labels(f"{folder / SET_FILE}", prepared.labels)
    with_probabilities = any(face.probabilities is not None for face in prepared.faces)
    rows = [(f"{folder / MANIFEST_FILE}, {face.path}", face) for face in prepared.faces]
    _check_faces(rows, prepared.labels, with_probabilities)
    columns = [*COLUMNS]
    if with_probabilities:
        columns += [PROBABILITY_PREFIX + label for label in prepared.labels]
    write_csv(folder / MANIFEST_FILE, (columns, *map(_cells, prepared.faces)))
    content = {"format": FORMAT, "kind": prepared.kind, "labels": list(prepared.labels)}
    text = json.dumps({**content, **prepared.details}, indent=2, ensure_ascii=False)
    with replacing(folder / SET_FILE) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_prepared(folder: Path) -> PreparedSet:
    """Read `set.json` and `manifest.csv`; the pictures themselves are not looked at.

    Raises:
        DataError: the folder is unfinished, or one of the files is damaged or contradicts the
            other; the message names file and line.
    """
    content = _read_set_file(folder / SET_FILE)
    labels = tuple(content.pop("labels"))
    faces = _read_manifest(folder / MANIFEST_FILE, labels)
    report = content.get("report")
    counted = report.get("faces", len(faces)) if isinstance(report, dict) else len(faces)
    if counted != len(faces):
        raise DataError(
            f"{folder / MANIFEST_FILE}: {len(faces)} faces, expected the {counted} that "
            f"{SET_FILE} counts"
        )
    content.pop("format")
    return PreparedSet(content.pop("kind"), labels, tuple(faces), content)


def _read_set_file(path: Path) -> dict[str, Any]:
    """Everything in `set.json`; format, kind and labels are checked."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        is_begun = (path.parent / BEGUN_FILE).exists()
        how = ", which goes on where it was interrupted" if is_begun else ""
        raise DataError(
            f"{path.parent}: no {path.name}, so no finished set of faces; "
            f"make it with 'mien prepare'{how}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else content
        raise DataError(f"{path}: the format is {str(found)[:40]!r}, expected {FORMAT}")
    if not isinstance(content.get("kind"), str):
        raise DataError(f"{path}: the kind is {content.get('kind')!r}, expected a name")
    labels = content.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise DataError(f"{path}: the labels are {labels!r}, expected a list of names")
    check_labels(str(path), labels)
    return content


def check_labels(where: str, labels: Sequence[str]) -> None:
    """Raise DataError unless labels can name folders and columns: differing, and no paths."""
    for label in labels:
        if not re.fullmatch(r"[^\s./\\:\0][^/\\:\0]*", label):
            raise DataError(f"{where}: {label!r} is no name for a class")
    if not labels or len(set(labels)) != len(labels):
        raise DataError(f"{where}: the labels are {list(labels)}, expected different names")


def _read_manifest(path: Path, labels: Sequence[str]) -> list[PreparedFace]:
    rows = csv_table(path)
    line, header = next(rows)
    plain = [*COLUMNS]
    with_probabilities = [*plain, *(PROBABILITY_PREFIX + label for label in labels)]
    if header not in (plain, with_probabilities):
        raise DataError(
            f"{path}, line {line}: the header is {','.join(header)[:200]!r}, "
            f"expected {','.join(plain)!r}, or that and a column p_<label> for every label"
        )
    found: list[tuple[str, PreparedFace]] = []
    for line, cells in rows:
        where = f"{path}, line {line}"
        found.append((where, _face(where, cells)))
    _check_faces(found, labels, header == with_probabilities)
    return [face for _, face in found]


def _cells(face: PreparedFace) -> list[str]:
    frame = "" if face.frame is None else str(face.frame)
    plain = [face.path, face.split, face.emotion, face.group, face.source, frame, face.edition]
    return plain + [repr(float(value)) for value in face.probabilities or ()]


def _face(where: str, cells: Sequence[str]) -> PreparedFace:
    path, split, emotion, group, source, frame, edition, *values = cells
    if not re.fullmatch("[0-9]{0,18}", frame):
        raise DataError(f"{where}: frame {frame[:40]!r} is no number of a frame (0, 1, 2, ...)")
    return PreparedFace(
        *(path, split, emotion, group, source),
        int(frame) if frame else None,
        edition,
        tuple(probability(where, value) for value in values) if values else None,
    )


def probability(where: str, text: str) -> float:
    """A number from 0 to 1.

    Raises:
        DataError: it is something else; the message begins with `where`.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise DataError(f"{where}: {text!r} is no probability from 0 to 1")
    return value


def _check_faces(
    rows: Sequence[tuple[str, PreparedFace]], labels: Sequence[str], with_probabilities: bool
) -> None:
    """Raise DataError for a wrong row, a picture that appears twice, a group on two sides."""
    paths: set[str] = set()
    split_of: dict[str, str] = {}
    for where, face in rows:
        _check_face(where, face, labels, with_probabilities)
        if face.path in paths:
            raise DataError(f"{where}: {face.path!r} appears twice")
        paths.add(face.path)
        if face.group and split_of.setdefault(face.group, face.split) != face.split:
            raise DataError(
                f"{where}: group {face.group!r} stands in {split_of[face.group]} and in "
                f"{face.split}, expected in one split only"
            )


def _check_face(
    where: str, face: PreparedFace, labels: Sequence[str], with_probabilities: bool
) -> None:
    """Raise DataError unless a row says of one face what a row may say."""
    check_inside(where, face.path)
    if (plain := PurePosixPath(face.path).as_posix()) != face.path:
        raise DataError(f"{where}: the path is {face.path!r}, expected {plain!r}")
    if face.split not in SPLITS:
        raise DataError(
            f"{where}: the split is {face.split!r}, expected one of {', '.join(SPLITS)}"
        )
    if face.emotion not in labels:
        raise DataError(
            f"{where}: the emotion is {face.emotion!r}, expected one of {', '.join(labels)}"
        )
    if (face.probabilities is not None) != with_probabilities:
        raise DataError(f"{where}: some faces have probabilities and some have none")
    if face.probabilities is not None:
        check_probabilities(where, face.probabilities, labels)


def check_inside(where: str, path: str) -> None:
    """Raise DataError unless a path, with forward slashes, leads into a folder and stays there."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or re.search(r"[\\\0]|^\w:", path):
        raise DataError(f"{where}: {path!r} is no path inside the folder, with forward slashes")


def check_probabilities(where: str, values: Sequence[float], labels: Sequence[str]) -> None:
    """Raise DataError unless there is one probability per label and they sum to 1."""
    if len(values) != len(labels):
        raise DataError(f"{where}: {len(values)} probabilities, expected {len(labels)}")
    if abs(sum(values) - 1) > max(SUM_TOLERANCE, ROUNDING * len(values)) + 1e-9:
        raise DataError(f"{where}: the probabilities sum to {sum(values):.4g}, expected 1")
