"""From logits and embeddings to what a result says about itself.

All arrays hold one face per row; C classes, D embedding dimensions.
"""

import numpy as np
from numpy.typing import NDArray

from mien.model_file import CalibrationParameters

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def probabilities(logits: NDArray[np.floating], temperature: float) -> Floats:
    """Calibrated probabilities (N, C) from logits (N, C).

    Source: temperature scaling, Guo et al. 2017, arXiv 1706.04599.
    """
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def uncertainty(probability: Floats) -> Floats:
    """Entropy of each row (N, C) over its largest possible value: 0 is sure, 1 knows nothing."""
    logs = np.log(np.maximum(probability, 1e-300))
    entropy = -(probability * logs).sum(axis=1)
    return np.asarray(np.clip(entropy / np.log(probability.shape[1]), 0, 1) + 0.0)


def candidates(probability: Floats, threshold: float) -> Mask:
    """Which classes (N, C) are candidates: those probable enough, and the most probable one.

    With the threshold of split conformal prediction, they hold the true class as often as was
    asked for. Source: Sadinle, Lei, Wasserman 2019, arXiv 1609.00451.
    """
    chosen = probability >= threshold
    chosen[np.arange(len(probability)), probability.argmax(axis=1)] = True
    return chosen


def face_likeness(embedding: NDArray[np.floating], parameters: CalibrationParameters) -> Floats:
    """How much cuts look like faces (N,), from 0 to 1: logistic in the embedding (N, D)."""
    odds = embedding @ np.array(parameters.likeness_weights) + parameters.likeness_offset
    return logistic(odds)


def logistic(odds: NDArray[np.floating]) -> Floats:
    """Probabilities from log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


def is_uncertain(
    uncertainty: Floats, face_likeness: Floats, parameters: CalibrationParameters
) -> Mask:
    """Which answers (N,) not to act on: too ambiguous, or of a cut too unlike a face.

    Too ambiguous: more uncertain than 95 % of the validation faces on whose emotion more than
    half of the crowd agree. Too unlike a face: less like one than 95 % of the validation faces
    are to a regression on the other half of them. So at most 10 % of faces like those are
    uncertain.
    """
    return np.asarray(
        (uncertainty > parameters.most_uncertainty) | (face_likeness < parameters.least_likeness)
    )
