"""Pictures with a class: in folders named by class, or in a table."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

from mien.datasets.csv_file import csv_table
from mien.datasets.manifest import (
    PROBABILITY_PREFIX,
    check_inside,
    check_probabilities,
    probability,
)
from mien.datasets.names import check_text, composed
from mien.datasets.tree import walk
from mien.errors import ConfigError, DataError, ImageError
from mien.files import PICTURE_SUFFIXES
from mien.images import read_image

SPLIT_OF = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}

#: What a report calls files that are no pictures by their ending.
NO_PICTURES = "files without the ending of a picture"


@dataclass(frozen=True)
class Labelled:
    """A picture and what is said about it.

    Attributes:
        path: relative to the folder of pictures, with forward slashes.
        name: the class, as it is called there; empty where it has none.
        split: "train", "valid", "test", or empty where none is given.
        group: the person or video, or empty where unknown.
        probabilities: by class, or empty where the class is certain.
    """

    path: str
    name: str
    split: str = ""
    group: str = ""
    probabilities: tuple[tuple[str, float], ...] = ()


def from_folders(images: Path, report: Counter[str]) -> list[Labelled]:
    """The pictures under a folder, by path: `happy/...`, or `train/happy/...`.

    The outermost folders are splits if all that hold pictures are called so. Pictures outside of
    all classes have an empty name.

    Args:
        images: the folder.
        report: files that are not called as pictures are, but hidden ones, are counted there.

    Raises:
        DataError: there is no such folder, no picture in it, a name is not in UTF-8, or the splits
            lie in the classes.
    """
    if not images.is_dir():
        raise DataError(f"{images}: no such folder")
    paths = sorted(_pictures(images, report))
    if not paths:
        others = "".join(f", but {what}: {count:,}" for what, count in report.items() if count)
        raise DataError(f"{images}: no pictures in it or below{others}")
    outermost = {parts[0].lower() for parts in paths if len(parts) > 1}
    if outermost and outermost <= SPLIT_OF.keys():
        return [
            Labelled("/".join(parts), *(_class(parts[1:]), SPLIT_OF[parts[0].lower()]))
            if len(parts) > 1
            else Labelled(parts[0], "")
            for parts in paths
        ]
    below = {parts[1] for parts in paths if len(parts) > 2}
    if below and {name.lower() for name in below} <= SPLIT_OF.keys():
        first = next(parts for parts in paths if len(parts) > 2)
        raise DataError(
            f"{images}: the folders below the classes are called {', '.join(sorted(below))}; "
            f"expected {first[1]}/{first[0]}/..., say, or --labels"
        )
    return [Labelled("/".join(parts), _class(parts)) for parts in paths]


def from_table(images: Path, table: Path) -> list[Labelled]:
    """The pictures of a CSV file with a header.

    Its columns are `path` (relative to the folder), `label` or a column `p_<class>` for every
    class or both, and, where they are known, `split` and `group`. Others may stand beside.

    Raises:
        DataError: the file can't be read, a column or a picture is missing, or a cell is wrong;
            the message names file and line.
    """
    rows = csv_table(table)
    line, header = next(rows)
    columns = [name.strip() for name in header]
    classes = [
        name.removeprefix(PROBABILITY_PREFIX)
        for name in columns
        if name.startswith(PROBABILITY_PREFIX)
    ]
    if "path" not in columns or not ("label" in columns or classes):
        raise DataError(
            f"{table}, line {line}: the header is {','.join(header)[:80]!r}, expected the columns "
            "path and label, or path and p_<class> for every class"
        )
    if len(set(columns)) != len(columns):
        raise DataError(
            f"{table}, line {line}: a column appears twice in {','.join(columns)[:80]!r}"
        )
    found: dict[str, Labelled] = {}
    for line, cells in rows:
        where = f"{table}, line {line}"
        values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        picture = _from_row(where, values, classes)
        _check_there(where, images / picture.path)
        if picture.path in found:
            raise DataError(f"{where}: {picture.path!r} appears twice")
        found[picture.path] = picture
    if not found:
        raise DataError(f"{table}: no rows, expected one per picture")
    if len({bool(picture.split) for picture in found.values()}) > 1:
        raise DataError(f"{table}: some rows have a split and some have none")
    return list(found.values())


def with_groups(pictures: Sequence[Labelled], pattern: str) -> list[Labelled]:
    """The pictures with groups from their paths.

    Args:
        pictures: any.
        pattern: a regular expression that is looked for in the path; the group is what its first
            pair of brackets holds, or all of it where it has none. However a file system writes
            accents, the same name is the same group.

    Raises:
        ConfigError: it is no regular expression, or not in UTF-8.
        DataError: a path does not have it.
    """
    try:
        pattern.encode()
        expression = re.compile(composed(pattern))
    except (re.error, UnicodeEncodeError) as error:
        raise ConfigError(f"--group: {pattern!r} is no regular expression ({error})") from error
    grouped = []
    for picture in pictures:
        found = expression.search(composed(picture.path))
        group = found[min(1, expression.groups)] if found else None
        if not group:
            raise DataError(f"--group: {pattern!r} finds nothing in the path {picture.path!r}")
        grouped.append(replace(picture, group=group))
    return grouped


def copies_of(paths: Sequence[Path]) -> list[str]:
    """Of every file what it has in common with its copies, byte for byte; empty if it has none.

    Files that are no pictures have nothing in common, as downloads that failed.
    """
    sizes = [path.stat().st_size if path.is_file() else -1 for path in paths]
    often = Counter(sizes)
    digests = [
        _digest(path) if size >= 0 and often[size] > 1 else ""
        for path, size in zip(paths, sizes, strict=True)
    ]
    counts = Counter(digests)
    path_of = dict(zip(digests, paths, strict=True))
    common = {digest for digest in path_of if digest and counts[digest] > 1}
    pictures = {digest for digest in common if _is_picture(path_of[digest])}
    return [digest if digest in pictures else "" for digest in digests]


def _digest(path: Path) -> str:
    with suppress(OSError):  # what can't be read is reported where its face is cut
        return sha256(path.read_bytes()).hexdigest()
    return ""


def _is_picture(path: Path) -> bool:
    try:
        read_image(path)
    except ImageError:
        return False
    return True


def _pictures(images: Path, report: Counter[str]) -> Iterator[tuple[str, ...]]:
    """The parts of their paths; the other files are counted."""
    for folder, names in walk(images):
        parts = folder.relative_to(images).parts
        pictures = [name for name in names if Path(name).suffix.lower() in PICTURE_SUFFIXES]
        if len(pictures) < len(names):
            report[NO_PICTURES] += len(names) - len(pictures)
        for name in pictures:
            check_text("/".join(path := (*parts, name)))
            yield path


def _check_there(where: str, path: Path) -> None:
    """Raise DataError unless a picture is there."""
    try:
        is_there = path.is_file()
    except OSError as error:  # a name of thousands of letters, say
        raise DataError(f"{where}: {str(path)[-80:]!r}: {error.strerror}") from error
    if not is_there:
        raise DataError(f"{where}: there is no picture {path}")


def _class(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) > 1 else ""


def _from_row(where: str, values: Mapping[str, str], classes: Sequence[str]) -> Labelled:
    split = values.get("split", "")
    if split and split.lower() not in SPLIT_OF:
        raise DataError(f"{where}: the split is {split!r}, expected train, valid or test")
    if "label" in values and not values["label"]:
        raise DataError(f"{where}: the label is empty")
    numbers = [probability(where, values[PROBABILITY_PREFIX + name]) for name in classes]
    if numbers:
        check_probabilities(where, numbers, classes)
    check_inside(where, values["path"])
    return Labelled(
        PurePosixPath(values["path"]).as_posix(),  # "./a.png" is "a.png" too
        values.get("label", ""),
        SPLIT_OF.get(split.lower(), ""),
        composed(values.get("group", "")),
        tuple(zip(classes, numbers, strict=True)),
    )
