"""Fitting the calibration of a model on faces it has not learnt from.

The validation set is cut in two: on one half the calibration is fitted, by the other half runs
and settings are chosen. Images that stand in the training set too are left out of the first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.calibration import logistic, probabilities, uncertainty
from mien.classification import Classification
from mien.datasets.faces import FaceSet, pixel_digest
from mien.datasets.votes import majority_places
from mien.errors import DataError
from mien.model_file import CalibrationParameters

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

COVERAGE = 0.95
CLEAR_SHARE = 0.95
LIKE_SHARE = 0.95
FEWEST_FACES = 20
LIKENESS_PENALTY = 1e-2
#: Where the logarithm of a temperature costs as much as one nat of all faces together: far enough
#: that a thousand faces decide alone, and few that are all answered right decide on nothing odd.
UNUSUAL_LOG_TEMPERATURE = 1.5


def calibration_half(valid: FaceSet) -> Mask:
    """Which validation faces (N,) belong to the half for calibration.

    The pixels decide, so that equal images fall into the same half whatever they are called.
    """
    return np.array([pixel_digest(image)[0] % 2 == 0 for image in valid.images], dtype=bool)


def calibration_faces(train: Sequence[FaceSet], valid: FaceSet) -> Mask:
    """Which validation faces (N,) calibrate: those of their half that are not in `train` too."""
    learnt = np.any([valid.also_in(faces) for faces in train], axis=0)
    return np.asarray(calibration_half(valid) & ~learnt, dtype=bool)


def check_calibration_faces(
    train: Sequence[FaceSet], valid: Sequence[FaceSet], labels: Sequence[str]
) -> None:
    """Raise DataError unless enough validation faces have a majority for one of the labels."""
    labelled = 0
    for faces in valid:
        known = majority_places(faces.votes, faces.labels, labels) >= 0
        labelled += int((calibration_faces(train, faces) & known).sum())
    _check_count(labelled)


def fit_calibration(
    faces: Classification, labels: Integers, not_faces: Classification
) -> CalibrationParameters:
    """Fit on what the network says of N faces with labels (N,), and of cuts without a face.

    A label of -1 marks a face without a majority: it counts for face likeness only.

    Raises:
        DataError: fewer than 20 faces have a label.
    """
    clear = labels >= 0
    _check_count(int(clear.sum()))
    temperature = fit_temperature(faces.logits[clear], labels[clear])
    probability = probabilities(faces.logits[clear], temperature)
    weights, offset = fit_likeness(faces.embedding, not_faces.embedding)
    return CalibrationParameters(
        temperature=temperature,
        candidate_threshold=conformal_threshold(probability, labels[clear]),
        likeness_weights=tuple(weights.tolist()),
        likeness_offset=offset,
        most_uncertainty=float(np.quantile(uncertainty(probability), CLEAR_SHARE)),
        least_likeness=likeness_limit(faces.embedding, not_faces.embedding),
    )


def fit_temperature(logits: Floats, labels: Integers) -> float:
    """The most probable temperature by logits (N, C) and labels (N,), if most are about one.

    It minimises the negative log-likelihood of the labels and (log T / 1.5)^4. Without the latter,
    which is that of a generalised normal distribution, no temperature would be too low where all
    answers are right. Newton's method in the logarithm, kept within steps of one half, finds it.
    Source: Guo et al. 2017, arXiv 1706.04599, but for the prior.
    """
    rows, logits = np.arange(len(labels)), logits.astype(np.float64)  # large ones are squared
    log_inverse = 0.0
    for _ in range(100):
        inverse = np.exp(log_inverse)
        probability = probabilities(logits, 1 / inverse)
        mean = (probability * logits).sum(axis=1)
        variance = (probability * logits**2).sum(axis=1) - mean**2
        slope = inverse * (mean - logits[rows, labels]).mean()
        curve = inverse**2 * variance.mean() + abs(slope) + 1e-12
        odd = log_inverse / UNUSUAL_LOG_TEMPERATURE
        slope += 4 * odd**3 / UNUSUAL_LOG_TEMPERATURE / len(labels)
        curve += 12 * odd**2 / UNUSUAL_LOG_TEMPERATURE**2 / len(labels)
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


def fit_likeness(faces: Floats, not_faces: Floats) -> tuple[NDArray[np.float64], float]:
    """Weights (D,) and offset of a logistic regression between embeddings (N, D) and (M, D).

    Both sides weigh the same; the weights, over standardised embeddings, are held small by a
    quadratic penalty. Newton's method; it stops once nothing moves.
    """
    embedding = np.concatenate([faces, not_faces]).astype(np.float64)
    centre, spread = embedding.mean(axis=0), embedding.std(axis=0) + 1e-6
    inputs = np.column_stack([(embedding - centre) / spread, np.ones(len(embedding))])
    target = np.repeat([1.0, 0.0], [len(faces), len(not_faces)])
    share = np.repeat([0.5 / len(faces), 0.5 / len(not_faces)], [len(faces), len(not_faces)])
    penalty = np.append(np.full(embedding.shape[1], LIKENESS_PENALTY), 0.0)
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        likeness = logistic(inputs @ weights)
        slope = inputs.T @ (share * (likeness - target)) + penalty * weights
        curve = (inputs.T * (share * likeness * (1 - likeness))) @ inputs + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    scaled = weights[:-1] / spread
    return scaled, float(weights[-1] - scaled @ centre)


def likeness_limit(faces: Floats, not_faces: Floats) -> float:
    """The face likeness that 95 % of faces reach, each half by a regression on the other half."""
    halves = np.arange(len(faces)) % 2
    likeness = np.empty(len(faces))
    for half in (0, 1):
        weights, offset = fit_likeness(faces[halves != half], not_faces)
        likeness[halves == half] = logistic(faces[halves == half] @ weights + offset)
    return float(np.quantile(likeness, 1 - LIKE_SHARE))


def _check_count(labelled: int) -> None:
    if labelled < FEWEST_FACES:
        raise DataError(
            f"{labelled} validation faces with a majority are left to fit the calibration on, "
            f"expected at least {FEWEST_FACES}"
        )
