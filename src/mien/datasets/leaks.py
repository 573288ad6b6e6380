"""Training faces that stand in a validation or test split too, as they are or nearly so.

Faces are compared by a perceptual hash, which another size, brightness or compression hardly moves,
nor does a cut that is one pixel of 48 off; two are too many.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.csv_file import write_csv
from mien.datasets.sets import DataSet
from mien.images import to_grey

#: A hash takes the signs of the 16 lowest frequencies to either side, of a face at 32 pixels.
HASH_SIDE = 32
FREQUENCIES = 16
#: Of 255 bits; different faces differ in half of them on the mean. In FER+ pairs up to here are
#: the same picture, as far as they were looked at; from 61 on different faces are among them.
MOST_DIFFERENT_BITS = 56
#: Training faces that are compared at a time.
BATCH = 2048


class Face(NamedTuple):
    """A face of a data set: its folder, split and file name."""

    data_set: Path
    split: str
    name: str

    @property
    def path(self) -> str:
        """Where it is, in words."""
        return f"{self.data_set}, {self.split}: {self.name}"


class Leak(NamedTuple):
    """A training face, the face held out that it looks like, and how many bits differ."""

    train: Face
    held_out: Face
    different_bits: int

    @property
    def is_between_sets(self) -> bool:
        """Whether the two belong to different data sets."""
        return self.train.data_set != self.held_out.data_set


def find_leaks(data_sets: Sequence[DataSet]) -> list[Leak]:
    """Pairs of a face for training and one for validation or test that look the same.

    Of all data sets; the most alike come first.
    """
    train, train_hashes = _hashed(data_sets, ["train"])
    held_out, held_out_hashes = _hashed(data_sets, ["valid", "test"])
    leaks = [
        Leak(train[row], held_out[column], bits)
        for row, column, bits in close_pairs(train_hashes, held_out_hashes, MOST_DIFFERENT_BITS)
    ]
    return sorted(leaks, key=lambda leak: leak.different_bits)


def without_leaks(data_sets: Sequence[DataSet], leaks: Sequence[Leak]) -> list[DataSet]:
    """The data sets without the training faces that look like held-out faces of another set."""
    leaked = {leak.train for leak in leaks if leak.is_between_sets}
    return [_without(data_set, leaked) for data_set in data_sets]


def write_leaks(path: Path, leaks: Sequence[Leak]) -> None:
    """Write a CSV file with one row per pair."""
    head = ("set", "name", "like_set", "like_split", "like_name", "different_bits")
    rows = ((train.data_set, train.name, *held_out, bits) for train, held_out, bits in leaks)
    write_csv(path, (head, *rows), errors="backslashreplace")


def perceptual_hashes(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Hashes (N, 255) of faces uint8 (N, H, W) or (N, H, W, 3) RGB.

    A bit says whether one of the lowest frequencies of the cosine transform, but the constant
    one, is above their median.
    Source: pHash, Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash
    Functions".
    """
    hashes = np.empty((len(images), FREQUENCIES**2 - 1), dtype=bool)
    for row, image in enumerate(images):
        grey = image if image.ndim == 2 else to_grey(image)
        small = cv2.resize(grey, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
        lowest = cv2.dct(small.astype(np.float32))[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
        hashes[row] = lowest > np.median(lowest)
    return hashes


def close_pairs(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], most: int
) -> Iterator[tuple[int, int, int]]:
    """Rows of `ours` (N, B) and `theirs` (M, B) that differ in few bits, and in how many.

    The product of hashes of -1 and 1 is the number of equal bits less that of different ones.
    """
    bits = ours.shape[1]
    signs = np.where(theirs, 1, -1).astype(np.float32)
    for start in range(0, len(ours), BATCH):
        product = np.where(ours[start : start + BATCH], 1, -1).astype(np.float32) @ signs.T
        rows, columns = np.nonzero(product >= bits - 2 * most)
        different = (bits - product[rows, columns]) / 2
        yield from zip(
            (start + rows).tolist(), columns.tolist(), map(int, different.tolist()), strict=True
        )


def _hashed(
    data_sets: Sequence[DataSet], splits: Sequence[str]
) -> tuple[list[Face], NDArray[np.bool_]]:
    faces: list[Face] = []
    hashes = [np.empty((0, FREQUENCIES**2 - 1), dtype=bool)]
    for data_set in data_sets:
        for split in splits:
            if split in data_set.splits:
                of_split = data_set.splits[split]
                faces += [Face(data_set.folder, split, name) for name in of_split.names]
                hashes.append(perceptual_hashes(of_split.images))
    return faces, np.concatenate(hashes)


def _without(data_set: DataSet, leaked: Collection[Face]) -> DataSet:
    if "train" not in data_set.splits:
        return data_set
    train = data_set.splits["train"]
    stays = [Face(data_set.folder, "train", name) not in leaked for name in train.names]
    if all(stays):
        return data_set
    return replace(
        data_set, splits=data_set.splits | {"train": train.select(np.array(stays, dtype=bool))}
    )
