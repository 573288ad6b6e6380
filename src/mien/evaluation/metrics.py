"""How good a model's answers are.

Faces count by the strict-majority protocol: N faces with a label each, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

CALIBRATION_BINS = 15
#: Half the width of a 95 % interval, in standard deviations of the normal distribution.
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Share:
    """A share of `count` faces, with its 95 % confidence interval; None of no faces."""

    value: float | None
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of one class, and how many faces bear it."""

    label: str
    precision: float
    recall: Share
    f1: float
    count: int


@dataclass(frozen=True)
class CalibrationBin:
    """Faces whose confidence lies in one fifteenth of the range from 0 to 1."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Scores:
    """All that `mien validate` measures.

    Attributes:
        accuracy: share of faces whose most probable class is the crowd's majority.
        macro_f1: mean F1 of the classes that occur.
        classes: scores of each class.
        confusion: faces (C, C) by their label (row) and answer (column).
        negative_log_likelihood: mean of minus the log of the label's probability, in nats.
        brier: mean squared distance of the probabilities from the label.
        calibration_error: expected calibration error of the confidence, over 15 bins.
        bins: those bins.
    """

    accuracy: Share
    macro_f1: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    negative_log_likelihood: float
    brier: float
    calibration_error: float
    bins: tuple[CalibrationBin, ...]


def score(probability: Floats, labels: Integers, names: Sequence[str]) -> Scores:
    """Score probabilities (N, C) against labels (N,)."""
    answers = probability.argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    true = probability[np.arange(len(labels)), labels]
    one_hot = np.eye(len(names))[labels]
    bins = calibration_bins(probability.max(axis=1), answers == labels)
    classes = class_scores(confusion, names)
    return Scores(
        accuracy=share(answers == labels),
        macro_f1=float(np.mean([one.f1 for one in classes if one.count])),
        classes=classes,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        negative_log_likelihood=float(-np.log(np.maximum(true, 1e-300)).mean()),
        brier=float(((probability - one_hot) ** 2).sum(axis=1).mean()),
        calibration_error=expected_calibration_error(bins),
        bins=bins,
    )


def share(right: Mask) -> Share:
    """The share of True (N,) with Wilson's 95 % interval (Wilson 1927)."""
    count = len(right)
    if count == 0:
        return Share(None, 0.0, 1.0, 0)
    value = float(right.mean())
    spread = NORMAL_95**2 / count
    centre = (value + spread / 2) / (1 + spread)
    half = NORMAL_95 / (1 + spread) * np.sqrt(value * (1 - value) / count + spread / 4 / count)
    return Share(value, float(max(0, centre - half)), float(min(1, centre + half)), count)


def class_scores(confusion: Integers, names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Scores of each class from the confusion matrix (C, C); a share of nothing counts 0."""
    scores = []
    for place, name in enumerate(names):
        hits, count = confusion[place, place], confusion[place].sum()
        answered = confusion[:, place].sum()
        scores.append(
            ClassScores(
                label=name,
                precision=float(hits / max(answered, 1)),
                recall=share(np.arange(count) < hits),
                f1=float(2 * hits / max(count + answered, 1)),
                count=int(count),
            )
        )
    return tuple(scores)


def calibration_bins(confidence: Floats, right: Mask) -> tuple[CalibrationBin, ...]:
    """Confidence (N,) and whether it was right (N,), gathered in 15 bins of equal width."""
    places = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    bins = []
    for place in range(CALIBRATION_BINS):
        inside = places == place
        count = int(inside.sum())
        bins.append(
            CalibrationBin(
                count,
                float(confidence[inside].mean()) if count else 0.0,
                float(right[inside].mean()) if count else 0.0,
            )
        )
    return tuple(bins)


def expected_calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Mean distance of confidence from accuracy, each bin by its faces.

    Source: Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017, arXiv 1706.04599.
    """
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / max(total, 1)


def divergence_to_votes(targets: Floats, probability: Floats) -> float:
    """Mean Kullback-Leibler divergence of probabilities (N, C) from the votes' shares (N, C)."""
    ratio = np.log(np.maximum(targets, 1e-300)) - np.log(np.maximum(probability, 1e-300))
    return float((targets * ratio).sum(axis=1).mean())
