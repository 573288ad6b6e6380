"""The faces of a training, of one or several data sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.datasets.faces import FaceSet
from mien.datasets.leaks import Leak, find_leaks, without_leaks
from mien.datasets.sets import check_different, read_data_set
from mien.errors import DataError


@dataclass(frozen=True)
class TrainingFaces:
    """What a network learns from, and what it is calibrated on.

    Attributes:
        folders: the data sets.
        train: their faces to learn from, but those that look like a held-out face of another set.
        valid: the validation faces of those that have any.
        leaks: which faces to learn from look like which held-out ones.
    """

    folders: tuple[Path, ...]
    train: tuple[FaceSet, ...]
    valid: tuple[FaceSet, ...]
    leaks: tuple[Leak, ...]

    @classmethod
    def read(cls, data_dirs: Sequence[Path]) -> "TrainingFaces":
        """Read the data sets, and look for leaks between their splits.

        Raises:
            DataError: a data set is missing or damaged or has no faces to learn from but
                those that look like held-out ones of another, or none has a validation split.
            ConfigError: a data set is named twice.
        """
        check_different(data_dirs)
        data_sets = [read_data_set(folder) for folder in data_dirs]
        for one in data_sets:
            if "train" not in one.splits:
                raise DataError(f"{one.folder}: no face is in the split 'train'")
        valid = tuple(one.splits["valid"] for one in data_sets if "valid" in one.splits)
        if not valid:
            raise DataError(
                f"{', '.join(map(str, data_dirs))}: no face is in the split 'valid', expected one "
                "data set at least that has it, to calibrate on"
            )
        leaks = find_leaks(data_sets)
        train = tuple(one.splits["train"] for one in without_leaks(data_sets, leaks))
        for folder, faces in zip(data_dirs, train, strict=True):
            if not len(faces):
                raise DataError(
                    f"{folder}: every face to learn from looks like a held-out face of another set"
                )
        return cls(tuple(data_dirs), train, valid, tuple(leaks))
