import numpy as np
import pytest

from mien.calibration import (
    candidates,
    face_likeness,
    is_uncertain,
    probabilities,
    uncertainty,
)
from mien.model_file import CalibrationParameters

PARAMETERS = CalibrationParameters(
    temperature=1.0,
    candidate_threshold=0.3,
    likeness_weights=(2.0, -1.0),
    likeness_offset=1.0,
    most_uncertainty=0.8,
    least_likeness=0.5,
)


@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([0, np.log(3)], 1, [0.25, 0.75]),
        ([7, 7 + np.log(3)], 1, [0.25, 0.75]),
        ([0, np.log(9)], 2, [0.25, 0.75]),
        ([0, np.log(3)], 0.5, [0.1, 0.9]),
        ([5, 5, 5, 5], 3, [0.25, 0.25, 0.25, 0.25]),
        ([1e4, -1e4, 0], 1, [1, 0, 0]),
        ([-1e30, -1e30], 1, [0.5, 0.5]),
        ([np.finfo(np.float32).max, 0], 1e-3, [1, 0]),
    ],
)
def test_probabilities_are_the_softmax_of_the_scaled_logits(
    logits: list[float], temperature: float, expected: list[float]
) -> None:
    found = probabilities(np.array([logits], dtype=np.float32), temperature)
    np.testing.assert_allclose(found, [expected], atol=1e-7)


def test_every_row_has_probabilities_of_its_own() -> None:
    found = probabilities(np.array([[0, np.log(3)], [np.log(4), 0]]), 1)
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.8, 0.2]])


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        ([1, 0, 0, 0], 0),
        ([0.25, 0.25, 0.25, 0.25], 1),
        ([0.5, 0.5, 0, 0], 0.5),
        ([0.5, 0.25, 0.125, 0.125], 0.875),
    ],
)
def test_uncertainty_is_entropy_over_its_largest_value(
    probability: list[float], expected: float
) -> None:
    assert uncertainty(np.array([probability])) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [2, 5, 8])
def test_uncertainty_never_leaves_0_to_1(classes: int) -> None:
    sure, unknowing = uncertainty(np.stack([np.eye(classes)[0], np.full(classes, 1 / classes)]))
    assert 0 <= sure < unknowing <= 1


@pytest.mark.parametrize(
    ("probability", "threshold", "expected"),
    [
        ([0.6, 0.3, 0.1], 0.3, [True, True, False]),
        ([0.6, 0.3, 0.1], 0.31, [True, False, False]),
        ([0.2, 0.5, 0.3], 0.9, [False, True, False]),
        ([0.6, 0.4, 0.0], 0.0, [True, True, True]),
    ],
)
def test_candidates_are_the_probable_classes_and_always_the_top_one(
    probability: list[float], threshold: float, expected: list[bool]
) -> None:
    assert candidates(np.array([probability]), threshold).tolist() == [expected]


def test_likeness_is_logistic_in_the_embedding() -> None:
    embedding = np.array([[0, 1], [1, 1], [-1e30, 0], [1e30, 0]], dtype=np.float32)
    expected = [0.5, 1 / (1 + np.exp(-2)), 0, 1]
    np.testing.assert_allclose(face_likeness(embedding, PARAMETERS), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("uncertain", "likeness", "expected"),
    [(0.8, 0.5, False), (0.81, 0.5, True), (0.8, 0.49, True), (0.9, 0.1, True), (0.0, 1.0, False)],
)
def test_answers_are_uncertain_beyond_either_limit(
    uncertain: float, likeness: float, expected: bool
) -> None:
    found = is_uncertain(np.array([uncertain]), np.array([likeness]), PARAMETERS)
    assert found.tolist() == [expected]
