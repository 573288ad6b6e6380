"""How often each package is right on the faces of FER+, by the strict-majority protocol."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison.contestants import Contestant, emotion_of
from benchmarks.comparison.figures import Accuracy
from benchmarks.comparison.processes import Process
from mien.datasets.ferplus import read_split
from mien.datasets.votes import strict_majority
from mien.evaluation.metrics import share
from mien.labels import EMOTIONS

#: Whose answers are counted; mien reads the test set when a model is published, and never here.
SPLITS: dict[str, tuple[str, ...]] = {
    "valid": ("mien", "fer", "facial-emotion-recognition"),
    "test": ("fer", "facial-emotion-recognition"),
}

log = logging.getLogger(__name__)


def accuracies(running: dict[Contestant, Process], data_dir: Path, folder: Path) -> list[Accuracy]:
    """Every package on its splits; its settings make no difference on cut-out faces."""
    process_of: dict[str, Process] = {}
    for contestant, process in running.items():
        process_of.setdefault(contestant.package, process)
    found = []
    for split, packages in SPLITS.items():
        path = folder / f"{split}.npy"
        labels = write_faces(path, data_dir, split)
        for package in packages:
            if package in process_of:
                log.info("%s on the faces of %s", package, split)
                names = process_of[package].ask(do="classify", faces=str(path))["emotions"]
                found.append(Accuracy(package, split, share(right_answers(names, labels))))
    return found


def write_faces(path: Path, data_dir: Path, split: str) -> NDArray[np.int64]:
    """The faces of a split with a majority, as a file, and their labels (N,)."""
    faces = read_split(data_dir, split)
    labels, kept = strict_majority(faces.votes)
    np.save(path, faces.images[kept])
    return labels[kept]


def right_answers(names: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which answers (N,), in a package's own names, are the labels (N,)."""
    return np.array(
        [
            emotion_of(name) == EMOTIONS[label]
            for name, label in zip(names, labels.tolist(), strict=True)
        ],
        dtype=bool,
    )
