"""Reports as `mien validate` and `benchmarks/not_faces.py` have stored them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import DataError
from mien.evaluation.certainty import TOLD_COVERAGE, Certainty
from mien.evaluation.metrics import CALIBRATION_BINS, Scores, Share
from mien.evaluation.plain import Count, Portion, from_plain
from mien.evaluation.robustness import ChangeScores


@dataclass(frozen=True)
class KindOfCut:
    """How often cuts without a face of a kind come out as uncertain, and how well they are told."""

    kind: str
    uncertain: Share
    likeness_auroc: Portion | None


@dataclass(frozen=True)
class NotFaces:
    """The same of all cuts without a face, and of every kind."""

    uncertain: Share
    likeness_auroc: Portion | None
    kinds: tuple[KindOfCut, ...]


@dataclass(frozen=True)
class DescribedData:
    """What a model file says of the faces of a split."""

    faces: Count
    votes: str
    sets: tuple["DescribedData", ...] = ()


@dataclass(frozen=True)
class TeachingSettings:
    """Those of a model's settings that a card puts into words."""

    teacher: tuple[str, ...] = ()
    initial_weights: str | None = None


@dataclass(frozen=True)
class Provenance:
    """What a card puts into words of where a model comes from, each part if it is known."""

    mien: str | None = None
    commit: str | None = None
    date: str | None = None
    data: dict[str, DescribedData] = field(default_factory=dict)
    steps: Count | None = None
    epochs_done: Count | None = None
    settings: TeachingSettings = TeachingSettings()
    teacher_digests: tuple[str, ...] = ()
    initial_digest: str | None = None
    changes: tuple[str, ...] = ()
    kept_variance: Portion = 1
    quantized: str | None = None


@dataclass(frozen=True)
class StoredReport:
    """What is stored of one split: the values of `scores.json` by their names there, and more.

    Attributes:
        scores: those of its values that are scores.
        origin: all that the model file says of its provenance, as it stands there.
        not_faces: answers to cuts without a face, from `not_faces.json`; None without that file.
    """

    model: str
    split: str
    votes: str
    labels: tuple[str, ...]
    provenance: Provenance
    accuracy_without_training_duplicates: Share | None
    kullback_leibler_to_votes: float
    certainty: Certainty
    robustness: tuple[ChangeScores, ...] | None
    scores: Scores
    origin: dict[str, Any]
    faces: Count | None = None
    not_faces: NotFaces | None = None

    @property
    def changes(self) -> tuple[ChangeScores, ...]:
        """The scores of changed faces; none if they were not measured."""
        return self.robustness or ()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the model's training, as far as they are known."""
        settings: dict[str, Any] = self.origin.get("settings", {})
        return settings


def read_report(folder: Path) -> StoredReport:
    """Read the JSON files of a report's folder.

    Raises:
        DataError: a file is missing, damaged, of an earlier version of mien, or of another model.
    """
    path, not_faces_path = folder / "scores.json", folder / "not_faces.json"
    if not path.is_file():
        raise DataError(f"{folder}: no scores.json, so no report of 'mien validate'")
    not_faces = measured = None
    if not_faces_path.is_file():
        with _reading(not_faces_path, "benchmarks/not_faces.py") as values:
            not_faces, measured = from_plain(NotFaces, values), values["model"]
    with _reading(path, "mien validate") as values:
        parts = {"scores": values, "origin": values.get("provenance"), "not_faces": None}
        report = from_plain(StoredReport, values | parts)
        if measured not in (None, report.model):
            raise DataError(f"{not_faces_path}: of {measured}, expected of {report.model}")
        _check_agreement(report)
    return replace(report, not_faces=not_faces)


def _check_agreement(report: StoredReport) -> None:
    """Raise ValueError unless what is stored speaks of the same classes and faces."""
    labels, scores, certainty = report.labels, report.scores, report.certainty
    counts = [one.count for one in scores.classes]
    confusion = np.array(scores.confusion, dtype=np.int64)
    if confusion.shape != (len(labels), len(labels)) or confusion.sum(axis=1).tolist() != counts:
        raise ValueError(f"confusion is {scores.confusion!r:.100}")
    for names in ([one.label for one in scores.classes], certainty.candidates_hold_of_class):
        if tuple(names) != labels:
            raise ValueError(f"{', '.join(names)} came, expected the labels {', '.join(labels)}")
    if len(scores.bins) != CALIBRATION_BINS:
        raise ValueError(f"{len(scores.bins)} bins, expected {CALIBRATION_BINS}")
    if TOLD_COVERAGE not in [one.coverage for one in certainty.risk_coverage]:
        raise ValueError(f"risk_coverage does not tell of {TOLD_COVERAGE}")


@contextmanager
def _reading(path: Path, maker: str) -> Iterator[dict[str, Any]]:
    """The values of a JSON file; what they lack inside is an error that says who makes it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError(f"a {type(values).__name__}, expected an object")
        yield values
    except DataError:
        raise
    except KeyError as error:
        raise DataError(f"{path}: lacks {error}; make it again with '{maker}'") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: damaged ({error})") from error
