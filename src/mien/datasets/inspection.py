"""What is in a data set: counts, balance, doubt, copies and broken files."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.datasets.contact_sheet import contact_sheet
from mien.datasets.draws import draw
from mien.datasets.faces import pixel_digest
from mien.datasets.ferplus import SPLITS as FERPLUS_SPLITS
from mien.datasets.manifest import SPLITS, is_prepared, read_prepared
from mien.datasets.vote_table import LABEL_FILE, first_of_each_name, read_label_file, votes_array
from mien.datasets.votes import majority_targets
from mien.errors import ConfigError, DataError, ImageError
from mien.images import read_image
from mien.labels import EMOTIONS

NO_MAJORITY = "no majority"


class Item(NamedTuple):
    """A picture of the set; `doubt` is the entropy of its votes or probabilities in bits."""

    path: str
    split: str
    emotion: str
    group: str = ""
    doubt: float | None = None


class Size(NamedTuple):
    """Of a picture, in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        folder: the folder that was looked at.
        labels: the classes.
        items: the pictures, also the broken ones.
        broken: what is wrong with a picture, by its path; also another size than the others'.
        copies: paths of pictures that are the same pixel by pixel, two or more at a time.
    """

    folder: Path
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    broken: Mapping[str, str]
    copies: tuple[tuple[str, ...], ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures by split and class."""
        found = Counter((item.split, item.emotion) for item in self.items)
        return {
            split: {label: found[split, label] for label in self.labels} for split in self._splits()
        }

    def imbalance(self) -> dict[str, float]:
        """How many times the largest class of each split is its smallest; of those it has."""
        found = {}
        for split, of in self.counts().items():
            sizes = [count for label, count in of.items() if count and label != NO_MAJORITY]
            found[split] = max(sizes, default=0) / min(sizes, default=1)
        return found

    def doubts(self) -> dict[str, dict[str, float]]:
        """The mean entropy of the votes or probabilities, in bits, by split and class."""
        values: dict[str, dict[str, list[float]]] = {split: {} for split in self._splits()}
        for item in self.items:
            if item.doubt is not None:
                values[item.split].setdefault(item.emotion, []).append(item.doubt)
        return {
            split: {label: float(np.mean(of[label])) for label in self.labels if label in of}
            for split, of in values.items()
            if of
        }

    def groups(self) -> dict[str, int]:
        """How many people or videos each split has, where they are known."""
        known = {(item.split, item.group) for item in self.items if item.group}
        return dict(Counter(split for split, _ in sorted(known)))

    def copy_counts(self) -> dict[str, int]:
        """Pictures that stand elsewhere too, in their split and across each pair of splits."""
        item_of = {item.path: item for item in self.items}
        found: Counter[str] = Counter()
        for paths in self.copies:
            sides = Counter(item_of[path].split for path in paths)
            for split, count in sides.items():
                found[f"{split}: copies within"] += count - 1
            for later, earlier in (("valid", "train"), ("test", "train"), ("test", "valid")):
                if sides[earlier]:
                    found[f"{later}: also in {earlier}"] += sides[later]
            if len({item_of[path].emotion for path in paths}) > 1:
                found["same picture, other class"] += 1
        return {what: count for what, count in found.items() if count}

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "labels": list(self.labels),
            "counts": self.counts(),
            "imbalance": self.imbalance(),
            "entropy_bits": self.doubts(),
            "groups": self.groups(),
            "copy_counts": self.copy_counts(),
            "copies": [list(paths) for paths in self.copies],
            "broken": dict(self.broken),
        }

    def sheet(self, faces: int) -> NDArray[np.uint8]:
        """A contact sheet, RGB (H, W, 3): some faces of every class, drawn from all splits."""
        rows = {}
        for label in self.labels:
            paths = [
                item.path
                for item in self.items
                if item.emotion == label and item.path not in self.broken
            ]
            drawn = sorted(paths, key=lambda path: draw(0, path))[:faces]
            rows[f"{label}\n{len(paths):,}"] = [read_image(self.folder / path) for path in drawn]
        return contact_sheet(rows)

    def _splits(self) -> list[str]:
        there = {item.split for item in self.items}
        return [split for split in SPLITS if split in there]


def inspect(
    folder: Path,
    splits: Sequence[str] | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look at every picture of a data set.

    Args:
        folder: a prepared-faces folder, or one with FER+'s folders.
        splits: the splits to look at; if None, all that are there.
        on_picture: called with the pictures done and the pictures there are.

    Raises:
        DataError: it is neither, it is unfinished, its tables are damaged, or a split is missing.
        ConfigError: a split is unknown.
    """
    for split in splits or ():
        if split not in SPLITS:
            raise ConfigError(f"split {split!r}, expected one of {', '.join(SPLITS)}")
    labels, everything = _prepared_items(folder) if is_prepared(folder) else _ferplus_items(folder)
    for split in splits or ():
        if all(item.split != split for item in everything):
            raise DataError(f"{folder}: no picture is in the split {split!r}")
    items = tuple(item for item in everything if item.split in (splits or SPLITS))
    broken: dict[str, str] = {}
    size_of: dict[str, Size] = {}
    paths_of: dict[tuple[Size, bytes], list[str]] = defaultdict(list)
    for done, item in enumerate(items, start=1):
        path = folder / item.path
        try:
            picture = read_image(path)
        except ImageError as error:
            broken[item.path] = str(error).removeprefix(f"{path}: ")
        else:
            size_of[item.path] = size = Size(picture.shape[1], picture.shape[0])
            paths_of[size, pixel_digest(picture)].append(item.path)
        if on_picture is not None:
            on_picture(done, len(items))
    copies = tuple(tuple(paths) for paths in paths_of.values() if len(paths) > 1)
    return Inspection(folder, labels, items, broken | _of_other_sizes(items, size_of), copies)


def _of_other_sizes(items: Sequence[Item], size_of: Mapping[str, Size]) -> dict[str, str]:
    """Pictures, by path, of another size than most in their split: it can't be read with them."""
    whole = [item for item in items if item.path in size_of]
    sizes: dict[str, Counter[Size]] = defaultdict(Counter)
    for item in whole:
        sizes[item.split][size_of[item.path]] += 1
    usual = {split: of.most_common(1)[0][0] for split, of in sizes.items()}
    return {
        item.path: f"{size_of[item.path]} pixels, the others {usual[item.split]}"
        for item in whole
        if size_of[item.path] != usual[item.split]
    }


def _prepared_items(folder: Path) -> tuple[tuple[str, ...], list[Item]]:
    prepared = read_prepared(folder)
    return prepared.labels, [
        Item(
            *(face.path, face.split, face.emotion, face.group),
            None if face.probabilities is None else _entropy_bits(face.probabilities),
        )
        for face in prepared.faces
    ]


def _ferplus_items(folder: Path) -> tuple[tuple[str, ...], list[Item]]:
    """The emotion is that of the strict majority, where the votes have one."""
    items = []
    for split, place in FERPLUS_SPLITS.items():
        path = folder / place.folder / LABEL_FILE
        if not path.is_file():
            continue
        rows = first_of_each_name(read_label_file(path))
        targets, has_majority = majority_targets(votes_array(rows))
        for row, target, known in zip(rows, targets, has_majority, strict=True):
            emotion = EMOTIONS[int(target.argmax())] if known else NO_MAJORITY
            name = f"{place.folder}/{row.name}"
            items.append(Item(name, split, emotion, doubt=_entropy_bits(row.votes)))
    if not items:
        raise DataError(
            f"{folder}: no data set, expected set.json or FER2013Train/{LABEL_FILE}, say; "
            "make one with 'mien prepare'"
        )
    return (*EMOTIONS, NO_MAJORITY), items


def _entropy_bits(weights: Iterable[float]) -> float:
    """Of votes or probabilities, in bits."""
    values = np.array([weight for weight in weights if weight > 0], dtype=np.float64)
    shares = values / values.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0
