"""From ten votes a face to labels and targets: the rules of FER+.

Source: Barsoum, Zhang, Canton Ferrer, Zhang: "Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution", 2016, arXiv 1608.01041.

Votes are integers (N, 10) in the order of `mien.labels.VOTE_COLUMNS`. Every rule returns
targets (N, 8), one distribution a row, and which rows it keeps (N,); rows it drops are zero.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.labels import EMOTIONS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

EMOTION_COUNT = len(EMOTIONS)


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

    A label counts if it is an emotion and has more than half of the votes left after the
    outliers are set to zero. Labels of dropped rows are -1.
    """
    targets, keep = majority_targets(votes)
    return np.where(keep, targets.argmax(axis=1), -1), keep


def _leading_classes(counts: Integers) -> Integers:
    """The counts (10,) of the classes that `crossentropy_targets` takes from one face."""
    taken = np.zeros_like(counts)
    left = counts.copy()
    while 4 * taken.sum() < 3 * counts.sum() and np.count_nonzero(taken) < 3:
        tied = np.flatnonzero(left == left.max())
        emotions = tied[tied < EMOTION_COUNT]
        taken[emotions] = counts[emotions]
        left[emotions] = 0
        if len(emotions) < len(tied):
            break
    return taken


def _as_distributions(chosen: Integers, keep: Mask) -> tuple[Floats, Mask]:
    """Shares of the emotions (N, 8) where a row is kept and an emotion leads in it."""
    keep = keep & (chosen.argmax(axis=1) < EMOTION_COUNT)
    emotions = np.where(keep[:, None], chosen[:, :EMOTION_COUNT], 0)
    total = emotions.sum(axis=1, keepdims=True)
    return emotions / np.maximum(total, 1), keep


#: How votes become training targets. "probability" has the targets of "crossentropy" but draws
#: one class a step from them; "multi_target" counts only the most probable of its targets.
RULES: dict[str, Callable[[Integers], tuple[Floats, Mask]]] = {
    "soft": soft_targets,
    "majority": majority_targets,
    "probability": crossentropy_targets,
    "crossentropy": crossentropy_targets,
    "multi_target": multi_target_targets,
}


def training_targets(votes: Integers, mode: str) -> tuple[Floats, Mask]:
    """Targets (N, 8) and rows kept (N,) by one of `RULES`.

    Raises:
        ConfigError: `mode` is no rule.
    """
    if mode not in RULES:
        raise ConfigError(f"label mode {mode!r} is none of {', '.join(RULES)}")
    return RULES[mode](votes)
