import numpy as np
import pytest

from mien.classification import Classification
from mien.evaluation.certainty import COVERAGES, Answers, measure_certainty, risk_coverage
from mien.evaluation.metrics import share
from mien.model_file import CalibrationParameters

PARAMETERS = CalibrationParameters(
    temperature=2.0,
    candidate_threshold=0.3,
    likeness_weights=(1.0,),
    likeness_offset=0.0,
    most_uncertainty=0.9,
    least_likeness=0.5,
)

# Probabilities .9, .6 and .5 for the first of two classes; the last two are uncertain: by their
# entropy (.97 and 1 bit), and the last one by its likeness as well.
OUTPUTS = Classification(
    (2 * np.log(np.array([[9.0, 1], [6, 4], [5, 5]]))).astype(np.float32),
    np.array([[2.0], [1.0], [-1.0]], dtype=np.float32),
)
ANSWERS = Answers.of(OUTPUTS, PARAMETERS)


def test_answers_come_from_the_calibration() -> None:
    np.testing.assert_allclose(ANSWERS.probability[:, 0], [0.9, 0.6, 0.5], atol=1e-6)
    np.testing.assert_allclose(ANSWERS.uncertainty, [0.469, 0.971, 1], atol=1e-3)
    np.testing.assert_allclose(ANSWERS.face_likeness, 1 / (1 + np.exp([-2, -1, 1])), atol=1e-6)
    assert ANSWERS.is_uncertain.tolist() == [False, True, True]
    assert ANSWERS.right(np.array([0, 1, 0])).tolist() == [True, False, True]


def test_certainty_of_three_faces() -> None:
    labels = np.array([1, 1, 0])
    found = measure_certainty(ANSWERS, labels, ["a", "b"], 0.3, np.array([0.98, 0.5]))
    # Candidates: a; a and b; a and b.
    assert found.mean_candidates == pytest.approx(5 / 3)
    assert found.candidates_hold == share(np.array([False, True, True]))
    assert found.candidates_hold_of_class["a"] == share(np.array([True]))
    assert found.candidates_hold_of_class["b"] == share(np.array([False, True]))
    assert found.uncertain == share(np.array([False, True, True]))
    assert found.accuracy_unless_uncertain == share(np.array([False]))
    # Of .98, two of three are smaller; of .5, one.
    assert found.ambiguity_auroc == pytest.approx(3 / 6)


def test_without_ambiguous_faces_ambiguity_is_not_measured() -> None:
    found = measure_certainty(ANSWERS, np.zeros(3, dtype=int), ["a", "b"], 0.3, np.zeros(0))
    assert found.ambiguity_auroc is None


def test_risk_coverage_keeps_the_least_uncertain_faces() -> None:
    doubt = np.array([0.9, 0.1, 0.5, 0.2])
    points = risk_coverage(doubt, np.array([False, True, False, True]))
    accuracy = {one.coverage: one.accuracy.value for one in points}
    assert list(accuracy) == list(COVERAGES)
    assert (COVERAGES[0], COVERAGES[-1]) == (1, 0.05)
    assert accuracy[1] == 0.5
    assert accuracy[0.75] == pytest.approx(2 / 3)
    assert accuracy[0.5] == 1
    assert accuracy[0.05] is None  # none of four faces is left


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]])
def test_the_order_of_equally_uncertain_faces_does_not_matter(order: list[int]) -> None:
    doubt, right = np.array([0.1, 0.5, 0.5, 0.5]), np.array([True, True, False, False])
    points = risk_coverage(doubt[order], right[order])
    accuracy = {one.coverage: one.accuracy for one in points}
    assert accuracy[0.5].value == pytest.approx((1 + 1 / 3) / 2)
    assert accuracy[0.5].count == 2
    assert accuracy[0.25].value == 1
    assert accuracy[1] == share(right)
