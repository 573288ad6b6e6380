"""Fitting the calibration of a model on faces it has not learnt from.

The validation set is cut in two: on one half the calibration is fitted, by the other half runs
and settings are chosen. Images that stand in the training set too are left out of the first.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from mien.calibration import likeness_distance, probabilities, uncertainty
from mien.errors import DataError
from mien.model_file import CalibrationParameters

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]

COVERAGE = 0.95
CLEAR_SHARE = 0.95
LIKE_SHARE = 0.99
FEWEST_FACES = 20
CENTRE_PRIOR = 10


def calibration_half(count: int) -> NDArray[np.bool_]:
    """Which of `count` validation faces belong to the half for calibration: every second one."""
    return np.asarray(np.arange(count) % 2 == 0)


def fit_calibration(logits: Floats, embedding: Floats, labels: Integers) -> CalibrationParameters:
    """Fit on logits (N, C) and embeddings (N, D) of faces with labels (N,).

    A label of -1 marks a face without a majority: it counts for face likeness only.

    Raises:
        DataError: fewer than 20 faces have a label.
    """
    clear = labels >= 0
    if clear.sum() < FEWEST_FACES:
        raise DataError(
            f"{clear.sum()} validation faces with a majority are left to fit the calibration on, "
            f"expected at least {FEWEST_FACES}"
        )
    temperature = fit_temperature(logits[clear], labels[clear])
    probability = probabilities(logits[clear], temperature)
    centres = class_centres(embedding[clear], labels[clear], logits.shape[1])
    spread = (embedding[clear] - centres[labels[clear]]).std(axis=0)
    shapes = CalibrationParameters(
        temperature=temperature,
        candidate_threshold=conformal_threshold(probability, labels[clear]),
        likeness_centres=tuple(tuple(row) for row in centres.round(6).tolist()),
        likeness_spread=tuple((spread + 1e-3).round(6).tolist()),
        likeness_midpoint=1.0,
        likeness_width=1.0,
        most_uncertainty=float(np.quantile(uncertainty(probability), CLEAR_SHARE)),
        least_likeness=0.5,
    )
    return _with_likeness(shapes, likeness_distance(embedding, shapes))


def fit_temperature(logits: Floats, labels: Integers) -> float:
    """The temperature that minimises the negative log-likelihood of labels (N,).

    The loss is convex in the inverse temperature, so that Newton's method in its logarithm,
    kept within steps of one half, finds it.
    """
    rows = np.arange(len(labels))
    log_inverse = 0.0
    for _ in range(100):
        inverse = np.exp(log_inverse)
        probability = probabilities(logits, 1 / inverse)
        mean = (probability * logits).sum(axis=1)
        variance = (probability * logits**2).sum(axis=1) - mean**2
        slope = inverse * (mean - logits[rows, labels]).mean()
        curve = inverse**2 * variance.mean() + abs(slope) + 1e-12
        step = float(np.clip(slope / curve, -0.5, 0.5))
        log_inverse = float(np.clip(log_inverse - step, -6, 6))
        if abs(step) < 1e-9:
            break
    return float(np.exp(-log_inverse))


def conformal_threshold(probability: Floats, labels: Integers, coverage: float = COVERAGE) -> float:
    """The probability from which on classes are candidates, so that they hold the true one.

    Split conformal prediction with its finite-sample correction: of N + 1 faces, at least the
    share `coverage` has a true class at least this probable.
    Source: Sadinle, Lei, Wasserman 2019, arXiv 1609.00451.
    """
    true = np.sort(probability[np.arange(len(labels)), labels])
    below = int(np.floor((1 - coverage) * (len(labels) + 1) + 1e-9))
    return float(true[below - 1]) if below > 0 else 0.0


def class_centres(embedding: Floats, labels: Integers, classes: int) -> Floats:
    """Mean embedding (C, D) of each class, drawn to the mean of all where a class has few faces."""
    one_hot = np.eye(classes)[labels]  # (N, C)
    prior = CENTRE_PRIOR * embedding.mean(axis=0)
    return np.asarray(
        (one_hot.T @ embedding + prior) / (one_hot.sum(axis=0)[:, None] + CENTRE_PRIOR)
    )


def _with_likeness(
    parameters: CalibrationParameters, distance: NDArray[np.float64]
) -> CalibrationParameters:
    """Face likeness is one half at the distance that 99 % of the faces stay below."""
    median, edge = np.quantile(distance, [0.5, LIKE_SHARE])
    return dataclasses.replace(
        parameters,
        likeness_midpoint=float(edge),
        likeness_width=float(max(edge - median, 1e-6) / 5),
    )
