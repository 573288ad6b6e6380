"""From ten votes a face to labels and targets: the rules of FER+.

Source: Barsoum, Zhang, Canton Ferrer, Zhang: "Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution", 2016, arXiv 1608.01041.

Votes are integers (N, K + 2): for each of K classes, those of FER+ for one, "unknown" and "not a
face". Every rule returns targets (N, K), one distribution per row, and which rows (N,) it keeps;
those it drops are zero.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.labels import NO_CLASS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def without_outliers(votes: Integers) -> Integers:
    """Set single votes to zero: FER+ takes them for slips."""
    return np.where(votes > 1, votes, 0)


def soft_targets(votes: Integers) -> tuple[Floats, Mask]:
    """All votes but the outliers, as shares; dropped if "unknown" or "not a face" leads."""
    cleaned = without_outliers(votes)
    return _as_distributions(cleaned, cleaned.sum(axis=1) > 0)


def majority_targets(votes: Integers) -> tuple[Floats, Mask]:
    """The class that has more than half of the votes; dropped if none has."""
    cleaned = without_outliers(votes)
    top = cleaned.max(axis=1)
    chosen = np.where(cleaned == top[:, None], cleaned, 0)
    return _as_distributions(chosen, 2 * top > cleaned.sum(axis=1))


def crossentropy_targets(votes: Integers) -> tuple[Floats, Mask]:
    """The leading classes, until they cover 75 % of the votes or three are taken.

    Classes with equal votes are taken together, and reaching "unknown" or "not a face" ends
    the taking. Dropped if the classes cover half of the votes or less, if ties made them more
    than three, or if "unknown" or "not a face" leads.
    """
    cleaned = without_outliers(votes)
    chosen = np.zeros_like(cleaned)
    keep = np.zeros(len(cleaned), dtype=bool)
    for row, counts in enumerate(cleaned):
        chosen[row] = _leading_classes(counts)
        taken = np.count_nonzero(chosen[row])
        keep[row] = taken <= 3 and 2 * chosen[row].sum() > counts.sum()
    return _as_distributions(chosen, keep)


def multi_target_targets(votes: Integers) -> tuple[Floats, Mask]:
    """Every class with at least 30 % of the votes; dropped if they hold half or less."""
    cleaned = without_outliers(votes)
    total = cleaned.sum(axis=1)
    chosen = np.where(10 * cleaned >= 3 * total[:, None], cleaned, 0)
    return _as_distributions(chosen, 2 * chosen.sum(axis=1) > total)


def strict_majority(votes: Integers) -> tuple[Integers, Mask]:
    """Labels (N,) of the strict-majority protocol, by which FER+ scores are counted, and rows kept.

    A label counts if it is a class and has more than half of the votes left after the
    outliers are set to zero. Labels of dropped rows are -1.
    """
    targets, keep = majority_targets(votes)
    return np.where(keep, targets.argmax(axis=1), -1), keep


def _leading_classes(counts: Integers) -> Integers:
    """The counts (K + 2,) of the classes that `crossentropy_targets` takes from one face."""
    class_count = len(counts) - len(NO_CLASS)
    taken = np.zeros_like(counts)
    left = counts.copy()
    while 4 * taken.sum() < 3 * counts.sum() and np.count_nonzero(taken) < 3:
        tied = np.flatnonzero(left == left.max())
        classes = tied[tied < class_count]
        taken[classes] = counts[classes]
        left[classes] = 0
        if len(classes) < len(tied):
            break
    return taken


def _as_distributions(chosen: Integers, keep: Mask) -> tuple[Floats, Mask]:
    """Shares of the classes (N, K) where a row is kept and a class leads in it."""
    class_count = chosen.shape[1] - len(NO_CLASS)
    keep = keep & (chosen.argmax(axis=1) < class_count)
    classes = np.where(keep[:, None], chosen[:, :class_count], 0)
    total = classes.sum(axis=1, keepdims=True)
    return classes / np.maximum(total, 1), keep


#: How votes become training targets. "probability" has the targets of "crossentropy" but draws
#: one class per step from them; "multi_target" counts only the most probable of its targets.
RULES: dict[str, Callable[[Integers], tuple[Floats, Mask]]] = {
    "soft": soft_targets,
    "majority": majority_targets,
    "probability": crossentropy_targets,
    "crossentropy": crossentropy_targets,
    "multi_target": multi_target_targets,
}


def known_targets(
    targets: Floats, keep: Mask, labels: Sequence[str], names: Sequence[str]
) -> tuple[Floats, Mask]:
    """Targets (N, K) for the classes `labels` as those (N, C) for `names`, scaled to one.

    Rows are kept (N,) where one of `names` leads; the others are zero.
    """
    places = _places(labels, names)
    keep = keep & (places[targets.argmax(axis=1)] >= 0)
    known = np.zeros((len(targets), len(names)))
    known[:, places[places >= 0]] = np.where(keep[:, None], targets, 0)[:, places >= 0]
    return known / np.where(keep, known.sum(axis=1), 1)[:, None], keep


def majority_places(votes: Integers, labels: Sequence[str], names: Sequence[str]) -> Integers:
    """The strict majority (N,) of votes for the classes `labels`, as places in `names`.

    It is -1 where there is none, or it is none of `names`.
    """
    majority, has_majority = strict_majority(votes)
    return np.where(has_majority, _places(labels, names)[majority], -1)


def _places(labels: Sequence[str], names: Sequence[str]) -> Integers:
    """Where each of `labels` stands in `names`; -1 where it does not."""
    return np.array([names.index(label) if label in names else -1 for label in labels])
