import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.calibration import candidates, face_likeness, probabilities, uncertainty
from mien.classification import Classification
from mien.datasets.faces import FaceSet
from mien.errors import DataError
from mien.evaluation.fitting import (
    LIKENESS_PENALTY,
    calibration_faces,
    calibration_half,
    conformal_threshold,
    fit_calibration,
    fit_likeness,
    fit_temperature,
)
from mien.labels import EMOTIONS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def drawn_faces(
    count: int, seed: int = 0, classes: int = 8, spread: float = 2
) -> tuple[Floats, Integers]:
    """Logits, and labels that are drawn by exactly their probabilities."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, spread, (count, classes))
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


def loss(logits: Floats, labels: Integers, temperature: float) -> float:
    true = probabilities(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(true).mean())


@pytest.mark.parametrize("temperature", [0.2, 1, 3, 20])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    logits, labels = drawn_faces(20_000)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize(("count", "right_alone"), [(300, False), (20, True)])
def test_no_temperature_on_a_fine_grid_is_better(count: int, right_alone: bool) -> None:
    logits, labels = drawn_faces(count, seed=1)
    labels = logits.argmax(axis=1) if right_alone else labels

    def cost(temperature: float) -> float:
        return float(loss(logits, labels, temperature) + (np.log(temperature) / 1.5) ** 4 / count)

    grid = np.geomspace(0.1, 5, 1001)
    costs = [cost(temperature) for temperature in grid]
    found = fit_temperature(logits, labels)
    assert cost(found) <= min(costs)
    assert found == pytest.approx(grid[np.argmin(costs)], rel=grid[1] / grid[0] - 1)


@pytest.mark.parametrize(("label", "low", "high"), [(0, 0.2, 1), (1, 3, 20)])
def test_the_temperature_stays_usual_where_all_or_none_is_right(
    label: int, low: float, high: float
) -> None:
    assert low < fit_temperature(np.array([[5.0, 0.0]] * 20), np.full(20, label)) < high


def test_very_large_logits_have_a_temperature_too() -> None:
    logits, labels = drawn_faces(100)
    assert fit_temperature((1e20 * logits).astype(np.float32), labels) == pytest.approx(np.exp(6))


@pytest.mark.parametrize("scale", [0.6, 1])
def test_confidence_is_near_accuracy_where_the_few_faces_are_all_right(scale: float) -> None:
    logits, labels = drawn_faces(10_000, spread=30)
    right = logits.argmax(axis=1) == labels
    draws = [np.random.default_rng(seed).choice(len(labels), 20) for seed in range(60)]
    said = [
        probabilities(scale * logits, fit_temperature(scale * logits[few], labels[few]))
        for few in draws
        if right[few].all()
    ]
    assert len(said) > 20
    confidence = np.mean([probability.max(axis=1).mean() for probability in said])
    assert confidence == pytest.approx(right.mean(), abs=0.02)


def test_many_faces_decide_alone_on_the_temperature() -> None:
    path = Path(__file__).parents[2] / "docs" / "default-model" / "valid" / "logits.csv"
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"]][:1500]
    logits = np.array([[float(row[name]) for name in EMOTIONS] for row in rows])
    labels = np.array([EMOTIONS.index(row["label"]) for row in rows])
    grid = np.linspace(0.5, 0.7, 2001)
    best = grid[np.argmin([loss(logits, labels, temperature) for temperature in grid])]
    assert fit_temperature(logits, labels) == pytest.approx(best, abs=5e-4)


@pytest.mark.parametrize(
    ("count", "coverage", "rank"),
    [
        (18, 0.95, None),  # of 19 faces none may miss
        (19, 0.95, 1),  # of 20 faces one may
        (38, 0.95, 1),
        (39, 0.95, 2),
        (3, 0.75, 1),
        (7, 0.75, 2),
        (9, 0.5, 5),
        (9, 0.9, 1),  # a tenth of ten, though 1 - 0.9 is a little less in floats
    ],
)
def test_threshold_is_the_probability_that_few_enough_faces_stay_below(
    count: int, coverage: float, rank: int | None
) -> None:
    true = np.random.default_rng(0).permutation(np.arange(1, count + 1) / (count + 1))
    labels = np.arange(count) % 2
    probability = np.where(labels[:, None] == [0, 1], true[:, None], 1 - true[:, None])
    expected = 0 if rank is None else rank / (count + 1)
    assert conformal_threshold(probability, labels, coverage) == pytest.approx(expected)


def test_candidates_hold_the_true_class_as_often_as_promised() -> None:
    held = []
    for logits, labels in (drawn_faces(100, seed) for seed in range(400)):
        probability = probabilities(logits, 1)
        threshold = conformal_threshold(probability[:99], labels[:99])
        held.append(candidates(probability[99:], threshold)[0, labels[99]])
    # 5 of 100 are let fall below; one standard error of 400 faces is .011.
    assert 0.92 < np.mean(held) < 0.98


def test_the_pixels_decide_on_the_half_for_calibration() -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 4, 4), dtype=np.uint8)
    images[200:] = images[:200]
    votes = np.zeros((400, 10), dtype=np.int64)
    half = calibration_half(FaceSet(images, votes, ("",) * 400, ""))
    np.testing.assert_array_equal(half[:200], half[200:])
    assert 0.4 < half.mean() < 0.6
    colour = FaceSet(np.stack([images] * 3, axis=-1), votes, ("",) * 400, "")
    np.testing.assert_array_equal(calibration_half(colour), half)


def test_faces_of_the_training_set_do_not_calibrate() -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 4, 4), dtype=np.uint8)
    votes = np.zeros((200, 10), dtype=np.int64)
    valid = FaceSet(images, votes, ("",) * 200, "")
    train = valid.select(slice(0, 50))
    expected = calibration_half(valid)
    expected[:50] = False
    np.testing.assert_array_equal(calibration_faces([train], valid), expected)


def embedded(count: int, centre: float, seed: int = 1) -> Floats:
    """Embeddings (N, 4) about a place."""
    return np.random.default_rng(seed).normal(centre, 1, (count, 4))


def said(logits: Floats, embedding: Floats) -> Classification:
    return Classification(logits.astype(np.float32), embedding.astype(np.float32))


NOT_FACES = said(np.zeros((300, 8)), embedded(300, -1.0, seed=9))


def test_likeness_finds_the_direction_between_faces_and_other_things() -> None:
    generator = np.random.default_rng(0)
    faces, others = generator.normal(0, 1, (500, 3)), generator.normal(0, 1, (200, 3))
    others[:, 1] += 5
    weights, offset = fit_likeness(faces, others)
    assert weights[1] < -1
    assert np.abs(weights[[0, 2]]).max() < 0.3
    assert np.mean(faces @ weights + offset > 0) > 0.98
    assert np.mean(others @ weights + offset < 0) > 0.98


def test_likeness_of_one_dimension_agrees_with_a_grid_search() -> None:
    generator = np.random.default_rng(0)
    faces, others = generator.normal(1, 1, (60, 1)), generator.normal(-1, 1, (40, 1))
    weights, offset = fit_likeness(faces, others)

    def loss(weight: float, bias: float) -> float:
        face_loss = np.log1p(np.exp(-(faces * weight + bias))).mean()
        other_loss = np.log1p(np.exp(others * weight + bias)).mean()
        spread = np.concatenate([faces, others]).std()
        return float((face_loss + other_loss) / 2 + LIKENESS_PENALTY * (weight * spread) ** 2 / 2)

    found = loss(float(weights[0]), offset)
    near = [loss(weights[0] + x, offset + y) for x in (-0.05, 0, 0.05) for y in (-0.05, 0, 0.05)]
    assert found == min(near)


def test_equal_embeddings_on_both_sides_do_no_harm() -> None:
    weights, offset = fit_likeness(np.ones((30, 2)), np.ones((30, 2)))
    np.testing.assert_allclose([*weights, offset], 0, atol=1e-9)


@pytest.mark.parametrize("labelled", [0, 19])
def test_fewer_than_twenty_labelled_faces_are_refused(labelled: int) -> None:
    logits, labels = drawn_faces(60)
    labels[labelled:] = -1
    with pytest.raises(DataError, match=f"^{labelled} validation faces .* at least 20"):
        fit_calibration(said(logits, embedded(60, 1.0)), labels, NOT_FACES)


def test_twenty_labelled_faces_are_enough_also_with_classes_missing() -> None:
    logits, labels = drawn_faces(20)
    labels %= 3
    found = fit_calibration(said(logits, embedded(20, 1.0)), labels, NOT_FACES)
    assert len(found.likeness_weights) == 4
    assert all(np.isfinite(value).all() for value in dataclasses.astuple(found))


def test_the_fitted_limits_set_aside_the_shares_they_are_stated_for() -> None:
    logits, labels = drawn_faces(2_000, seed=3)
    faces = said(logits * 2, embedded(2_000, 1.0))
    found = fit_calibration(faces, labels, NOT_FACES)
    probability = probabilities(faces.logits, found.temperature)
    assert found.temperature == pytest.approx(fit_temperature(faces.logits, labels))
    assert found.candidate_threshold == conformal_threshold(probability, labels)
    assert np.mean(uncertainty(probability) > found.most_uncertainty) == pytest.approx(0.05)
    likeness = face_likeness(faces.embedding, found)
    assert np.mean(likeness < found.least_likeness) == pytest.approx(0.05, abs=0.01)
    assert np.mean(face_likeness(NOT_FACES.embedding, found)) < 0.1 < np.mean(likeness)


def test_the_limit_of_likeness_holds_for_faces_that_it_was_not_fitted_on() -> None:
    # Of 40 numbers and 120 faces: in its own faces a regression finds what others do not have.
    generator = np.random.default_rng(0)
    faces, others, fresh = (generator.normal(0, 1, (count, 40)) for count in (120, 120, 2_000))
    others[:, 0] -= 2
    logits, labels = drawn_faces(120)
    found = fit_calibration(said(logits, faces), labels, said(logits, others))
    assert np.mean(face_likeness(fresh, found) < found.least_likeness) < 0.08


def test_faces_without_majority_count_for_likeness_only() -> None:
    logits, labels = drawn_faces(400, seed=4)
    embedding = embedded(400, 1.0)
    without = fit_calibration(said(logits, embedding), labels, NOT_FACES)
    more = said(np.vstack([logits, np.zeros((40, 8))]), np.vstack([embedding, np.full((40, 4), 3)]))
    found = fit_calibration(more, np.append(labels, [-1] * 40), NOT_FACES)
    assert found.likeness_weights != without.likeness_weights
    for name in ("temperature", "candidate_threshold", "most_uncertainty"):
        assert getattr(found, name) == getattr(without, name)


def test_the_fitted_values_are_plain_numbers() -> None:
    logits, labels = drawn_faces(40)
    found = fit_calibration(said(logits, embedded(40, 1.0)), labels, NOT_FACES)
    for value in dataclasses.astuple(found):
        assert type(value) in (float, tuple)
    assert {type(number) for number in found.likeness_weights} == {float}
