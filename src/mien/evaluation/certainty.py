"""How far what an answer says about its own certainty can be relied on.

N faces with a label each, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.calibration import (
    candidates,
    face_likeness,
    is_uncertain,
    probabilities,
    uncertainty,
)
from mien.classification import Classification
from mien.evaluation.metrics import Share, area_under_roc, share, share_of
from mien.evaluation.plain import Portion
from mien.model_file import CalibrationParameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Shares of the faces, the least uncertain ones, at which the risk-coverage curve is taken.
COVERAGES = tuple((100 - 5 * step) / 100 for step in range(20))
#: The one of them whose accuracy is told in words.
TOLD_COVERAGE = 0.85


class Answers(NamedTuple):
    """What calibration makes of a network's outputs: probability (N, C), the rest (N,)."""

    probability: Floats
    uncertainty: Floats
    face_likeness: Floats
    is_uncertain: Mask

    @classmethod
    def of(cls, outputs: Classification, parameters: CalibrationParameters) -> "Answers":
        """The answers to N faces, by a model's calibration."""
        probability = probabilities(outputs.logits, parameters.temperature)
        doubt = uncertainty(probability)
        likeness = face_likeness(outputs.embedding, parameters)
        return cls(probability, doubt, likeness, is_uncertain(doubt, likeness, parameters))

    def select(self, rows: Mask) -> "Answers":
        """The answers that `rows` (N,) picks."""
        return Answers._make(values[rows] for values in self)

    def right(self, labels: Integers) -> Mask:
        """Which answers (N,) are the labels (N,)."""
        return np.asarray(self.probability.argmax(axis=1) == labels)


@dataclass(frozen=True)
class RiskCoveragePoint:
    """Accuracy on the least uncertain faces, where they are this share of all."""

    coverage: Portion
    accuracy: Share


@dataclass(frozen=True)
class Certainty:
    """How far certainty can be relied on.

    Attributes:
        candidates_hold: how often the candidates hold the label.
        candidates_hold_of_class: the same of each class, by its name.
        mean_candidates: how many candidates there are.
        risk_coverage: accuracy when the most uncertain faces are set aside.
        uncertain: how many answers are marked as uncertain.
        accuracy_unless_uncertain: accuracy on the rest.
        ambiguity_auroc: area under the ROC curve of uncertainty, between faces without a majority
            for an emotion and faces with one; None if there are none without.
    """

    candidates_hold: Share
    candidates_hold_of_class: dict[str, Share]
    mean_candidates: float
    risk_coverage: tuple[RiskCoveragePoint, ...]
    uncertain: Share
    accuracy_unless_uncertain: Share
    ambiguity_auroc: Portion | None

    @property
    def told_accuracy(self) -> Share:
        """Accuracy on the share `TOLD_COVERAGE` of the faces, the least uncertain ones."""
        return next(one.accuracy for one in self.risk_coverage if one.coverage == TOLD_COVERAGE)


def measure_certainty(
    answers: Answers,
    labels: Integers,
    names: Sequence[str],
    threshold: float,
    without_majority: Floats,
) -> Certainty:
    """Measure on answers to N faces with labels (N,).

    Args:
        answers: the answers.
        labels: their labels, as indices into `names`.
        names: the C classes.
        threshold: the probability from which on a class is a candidate.
        without_majority: uncertainty (M,) of faces without a majority for an emotion: the
            crowd does not agree, or sees none, or no face.
    """
    chosen = candidates(answers.probability, threshold)
    held = chosen[np.arange(len(labels)), labels]
    right = answers.right(labels)
    return Certainty(
        candidates_hold=share(held),
        candidates_hold_of_class={
            name: share(held[labels == place]) for place, name in enumerate(names)
        },
        mean_candidates=float(chosen.sum(axis=1).mean()),
        risk_coverage=risk_coverage(answers.uncertainty, right),
        uncertain=share(answers.is_uncertain),
        accuracy_unless_uncertain=share(right[~answers.is_uncertain]),
        ambiguity_auroc=area_under_roc(without_majority, answers.uncertainty),
    )


def risk_coverage(doubt: Floats, right: Mask) -> tuple[RiskCoveragePoint, ...]:
    """Accuracy on the least uncertain faces, from uncertainty (N,) and what was right (N,).

    Of equally uncertain faces of which only some are kept, each counts by the accuracy of them all.
    Source: El-Yaniv, Wiener 2010; Geifman, El-Yaniv 2017, arXiv 1705.08500.
    """
    _, groups, sizes = np.unique(doubt, return_inverse=True, return_counts=True)
    ends, hits = (np.cumsum([0, *of_each]) for of_each in (sizes, np.bincount(groups, right)))
    kept = [round(coverage * len(right)) for coverage in COVERAGES]
    expected = np.interp(kept, ends, hits).tolist()
    return tuple(
        RiskCoveragePoint(coverage, share_of(right_ones, count))
        for coverage, right_ones, count in zip(COVERAGES, expected, kept, strict=True)
    )
