"""Data sets on disk, in either of two forms: the folders of FER+, or prepared faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.datasets import ferplus
from mien.datasets.faces import FaceSet, read_face, stacked
from mien.datasets.manifest import (
    MANIFEST_FILE,
    SPLITS,
    PreparedFace,
    PreparedSet,
    is_prepared,
    read_prepared,
)
from mien.errors import ConfigError, DataError
from mien.files import place_of
from mien.labels import NO_CLASS

#: What a certain label counts as; probabilities are shares of it.
VOTES_OF_A_FACE = 1_000_000


@dataclass(frozen=True)
class DataSet:
    """One data set: its folder, as the user names it, and those of its splits that there are."""

    folder: Path
    splits: dict[str, FaceSet]


def read_data_set(folder: Path, splits: Sequence[str] = SPLITS) -> DataSet:
    """Read those of `splits` that a data set has; only FER+'s test split may be missing there.

    Raises:
        DataError: the data set is missing, unfinished or damaged, or a person or a video of it
            stands in two splits.
    """
    if not is_prepared(folder):
        there = [split for split in splits if split != "test" or ferplus.has_split(folder, split)]
        return DataSet(folder, {split: ferplus.read_split(folder, split) for split in there})
    prepared = read_prepared(folder)
    in_split = {split: [face for face in prepared.faces if face.split == split] for split in splits}
    return DataSet(
        folder,
        {split: _face_set(folder, prepared, faces) for split, faces in in_split.items() if faces},
    )


def has_split(folder: Path, split: str) -> bool:
    """Whether a data set has a split; of FER+'s folders, whether it is finished.

    Raises:
        DataError: a manifest is unfinished or damaged.
    """
    if not is_prepared(folder):
        return ferplus.has_split(folder, split)
    return any(face.split == split for face in read_prepared(folder).faces)


def read_split(folder: Path, split: str) -> FaceSet:
    """Read one split of a data set.

    Raises:
        DataError: as `read_data_set`, or there is no such split.
    """
    if not is_prepared(folder):
        return ferplus.read_split(folder, split)
    splits = read_data_set(folder, [split]).splits
    if split not in splits:
        raise DataError(f"{folder / MANIFEST_FILE}: no face is in the split {split!r}")
    return splits[split]


def check_different(folders: Sequence[Path]) -> None:
    """Raise ConfigError if a data set is named twice, also by two ways to its folder."""
    places = [place_of(folder) for folder in folders]
    for number, folder in enumerate(folders):
        if places[number] in places[:number]:
            raise ConfigError(f"the data set {folder} is named twice")


def _face_set(folder: Path, prepared: PreparedSet, faces: Sequence[PreparedFace]) -> FaceSet:
    names = tuple(face.path for face in faces)
    editions = sorted({face.edition for face in faces if face.edition})
    return FaceSet(
        stacked([read_face(folder / name) for name in names], folder, names),
        prepared_votes(faces, prepared.labels),
        names,
        ", ".join(["labels of " + prepared.kind, *editions]),
        prepared.labels,
    )


def prepared_votes(faces: Sequence[PreparedFace], labels: Sequence[str]) -> NDArray[np.int64]:
    """What labels or probabilities come to as votes (N, K + 2) for K labels."""
    shares = np.array(
        [
            [label == face.emotion for label in labels]
            if face.probabilities is None
            else face.probabilities
            for face in faces
        ],
        dtype=np.float64,
    )
    votes = np.pad(shares, ((0, 0), (0, len(NO_CLASS))))
    return (VOTES_OF_A_FACE * votes).round().astype(np.int64)
