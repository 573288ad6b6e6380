"""How good a model's answers are.

Faces count by the strict-majority protocol: N faces with a label each, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.plain import Count, Portion

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

CALIBRATION_BINS = 15
BOOTSTRAP_DRAWS = 2000
#: Half the width of a 95 % interval, in standard deviations of the normal distribution.
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Share:
    """A share of `count` faces, with its 95 % confidence interval; None of no faces."""

    value: Portion | None
    low: Portion
    high: Portion
    count: Count


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval; None of no faces."""

    value: Portion | None
    low: Portion
    high: Portion


NO_ESTIMATE = Estimate(None, 0.0, 1.0)


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of one class, and how many faces bear it."""

    label: str
    precision: Share
    recall: Share
    f1: Estimate
    count: Count


@dataclass(frozen=True)
class CalibrationBin:
    """Faces whose confidence lies in one fifteenth of the range from 0 to 1."""

    count: Count
    confidence: Portion
    accuracy: Portion


@dataclass(frozen=True)
class Scores:
    """All that `mien validate` measures.

    Attributes:
        accuracy: share of faces whose most probable class is the crowd's majority.
        macro_f1: mean F1 of the classes that occur.
        macro_f1_without_contempt: the same without contempt, which FER+ hardly has.
        classes: scores of each class.
        confusion: faces (C, C) by their label (row) and answer (column).
        negative_log_likelihood: mean of minus the log of the label's probability, in nats.
        brier: mean squared distance of the probabilities from the label.
        calibration_error: expected calibration error of the confidence, over 15 bins.
        bins: those bins.
    """

    accuracy: Share
    macro_f1: Estimate
    macro_f1_without_contempt: Estimate
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[Count, ...], ...]
    negative_log_likelihood: float
    brier: float
    calibration_error: Portion
    bins: tuple[CalibrationBin, ...]


def score(probability: Floats, labels: Integers, names: Sequence[str]) -> Scores:
    """Score probabilities (N, C) against labels (N,)."""
    answers = probability.argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    true = probability[np.arange(len(labels)), labels]
    one_hot = np.eye(len(names))[labels]
    bins = calibration_bins(probability.max(axis=1), answers == labels)
    occurs = np.asarray(confusion.any(axis=1))
    not_contempt = np.array([name != "contempt" for name in names])
    return Scores(
        accuracy=share(answers == labels),
        macro_f1=macro_f1(confusion, occurs),
        macro_f1_without_contempt=macro_f1(confusion, occurs & not_contempt),
        classes=class_scores(confusion, names),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        negative_log_likelihood=float(-np.log(np.maximum(true, 1e-300)).mean()),
        brier=float(((probability - one_hot) ** 2).sum(axis=1).mean()),
        calibration_error=expected_calibration_error(bins),
        bins=bins,
    )


def share(right: Mask) -> Share:
    """The share of True (N,) with Wilson's 95 % interval (Wilson 1927)."""
    return share_of(int(right.sum()), len(right))


def share_of(hits: float, count: int) -> Share:
    """The share of so many hits, which may be expected ones, with Wilson's 95 % interval."""
    if count == 0:
        return Share(None, 0.0, 1.0, 0)
    value = hits / count
    spread = NORMAL_95**2 / count
    centre = (value + spread / 2) / (1 + spread)
    half = NORMAL_95 / (1 + spread) * np.sqrt(value * (1 - value) / count + spread / 4 / count)
    return Share(value, float(max(0, centre - half)), float(min(1, centre + half)), count)


def class_scores(confusion: Integers, names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Scores of each class from the confusion matrix (C, C)."""
    scores = []
    for place, name in enumerate(names):
        hits, count = int(confusion[place, place]), int(confusion[place].sum())
        answered = int(confusion[:, place].sum())
        scores.append(
            ClassScores(
                label=name,
                precision=share_of(hits, answered),
                recall=share_of(hits, count),
                f1=_f1(share_of(hits, count + answered - hits)) if count else NO_ESTIMATE,
                count=count,
            )
        )
    return tuple(scores)


def macro_f1(confusion: Integers, counted: Mask) -> Estimate:
    """Mean F1 of the classes that count (C,), from the confusion matrix (C, C).

    Those that have no face, also among the faces drawn for the interval, are left out of it.
    """
    if not counted.any():
        return NO_ESTIMATE
    f1, drawn = (f1_scores(one)[..., counted] for one in (confusion, drawn_again(confusion)))
    return _estimate(_mean_f1(f1), _mean_f1(drawn))


def f1_scores(confusion: Integers) -> Floats:
    """F1 of each class (..., C) from confusion matrices (..., C, C); NaN where it has no faces."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    count = confusion.sum(axis=-1)
    f1 = 2 * hits / np.maximum(count + confusion.sum(axis=-2), 1)
    return np.where(count > 0, f1, np.nan)


def drawn_again(confusion: Integers) -> Integers:
    """The confusion matrices (2000, C, C) of as many faces drawn again with replacement.

    Source: the bootstrap, Efron 1979.
    """
    count = confusion.sum()
    shares = confusion.ravel() / max(count, 1)
    draws = np.random.default_rng(0).multinomial(count, shares, size=BOOTSTRAP_DRAWS)
    return draws.reshape(-1, *confusion.shape)


def area_under_roc(higher: Floats, lower: Floats) -> float | None:
    """How often one of `higher` (N,) exceeds one of `lower` (M,), ties by half; None of none.

    That is the area under the ROC curve (Hanley, McNeil 1982).
    """
    if not len(higher) or not len(lower):
        return None
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, "left") + np.searchsorted(ordered, higher, "right")
    return float(below.mean() / 2 / len(lower))


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


def _f1(hits: Share) -> Estimate:
    """F1 by the share of hits among the faces that bear a class, or are answered so, or both.

    It grows with that share q, F1 = 2q / (1 + q), so that Wilson's interval holds for it too.
    """
    value, low, high = (2 * q / (1 + q) for q in (hits.value or 0.0, hits.low, hits.high))
    return Estimate(value, low, high)


def _mean_f1(f1: Floats) -> Floats:
    """The mean (...,) of those of F1 scores (..., C) that are numbers; NaN of none."""
    is_number = np.isfinite(f1)
    count = is_number.sum(axis=-1)
    whole = np.where(is_number, f1, 0).sum(axis=-1)
    return np.where(count > 0, whole / np.maximum(count, 1), np.nan)


def _estimate(value: Floats, drawn: Floats) -> Estimate:
    if np.isnan(value):
        return NO_ESTIMATE
    low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))
