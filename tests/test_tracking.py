from itertools import permutations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.tracking import PATIENCE_S, Tracker, assign, look_of

Image = NDArray[np.uint8]


def face(seed: int) -> Image:
    """A smooth pattern of its own, as faces are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


ANNA, BERTA = face(1), face(2)


def shaken(cut: Image, generator: np.random.Generator) -> Image:
    """The same face with another expression, say."""
    other = face(int(generator.integers(9, 10**6)))
    return np.asarray(cv2.addWeighted(cut, 0.8, other, 0.2, 0), dtype=np.uint8)


def test_a_face_keeps_its_number_while_it_moves() -> None:
    tracker = Tracker()
    numbers = [
        tracker.update([(100 + 12 * step, 50, 60, 60)], [ANNA], step / 25) for step in range(50)
    ]
    assert numbers == [[1]] * 50


def test_numbers_follow_the_faces_and_not_their_order() -> None:
    tracker = Tracker()
    here, there = (100.0, 50.0, 60.0, 60.0), (300.0, 50.0, 60.0, 60.0)
    assert tracker.update([here, there], [ANNA, BERTA], 0.0) == [1, 2]
    assert tracker.update([there, here], [BERTA, ANNA], 0.04) == [2, 1]


@pytest.mark.parametrize("hidden", [0.2, 0.6])
@pytest.mark.parametrize("speed", [200, 500])
def test_two_who_cross_keep_their_numbers(hidden: float, speed: float) -> None:
    # Anna walks in front: while they overlap, Berta is not found.
    tracker, numbers = Tracker(), []
    for step in range(60):
        time_s = step / 25
        anna, berta = 100 + speed * time_s, 100 + 2.4 * speed - speed * time_s
        boxes, cuts = [(anna, 50, 60, 60)], [ANNA]
        if abs(anna - berta) > hidden * 60:
            boxes, cuts = [*boxes, (berta, 52, 60, 60)], [*cuts, BERTA]
        numbers.append(tracker.update(boxes, cuts, time_s))
    assert all(one[0] == 1 for one in numbers)
    assert all(one[1] == 2 for one in numbers if len(one) == 2)
    assert len(numbers[-1]) == 2


@pytest.mark.parametrize("seed", range(10))
def test_twins_who_cross_are_told_apart_by_their_motion(seed: int) -> None:
    # One walks, one stands behind and is not found for a while; boxes shake by a few pixels.
    generator = np.random.default_rng(seed)
    tracker, numbers = Tracker(), []
    for step in range(50):
        walking = 100 + 8 * step
        boxes = [(walking + generator.normal(0, 2), 50 + generator.normal(0, 2), 60, 60)]
        if abs(walking - 300) > 40:
            boxes.append((300 + generator.normal(0, 2), 50 + generator.normal(0, 2), 60, 60))
        numbers.append(tracker.update(boxes, [ANNA] * len(boxes), step / 25))
    assert {tuple(one) for one in numbers} == {(1, 2), (1,)}


@pytest.mark.parametrize("step_s", [0.5, 1.0, 2.0])
def test_a_face_that_turned_between_two_rare_looks_keeps_its_number(step_s: float) -> None:
    turned = np.asarray(cv2.addWeighted(ANNA, 0.55, face(3), 0.45, 0), dtype=np.uint8)
    assert 0.4 < look_of(ANNA) @ look_of(turned) < 0.8
    tracker = Tracker()
    numbers = [
        tracker.update([(100 + 6 * (step % 2), 50, 60, 60)], [(ANNA, turned)[step % 2]], time_s)
        for step, time_s in enumerate(np.arange(9) * step_s)
    ]
    assert numbers == [[1]] * 9
    assert tracker.update([(100, 50, 60, 60)], [BERTA], 9 * step_s) == [2]


def test_a_face_that_is_missed_for_a_moment_keeps_its_number() -> None:
    tracker = Tracker()
    for step in range(10):
        tracker.update([(100 + 8 * step, 50, 60, 60)], [ANNA], step / 25)
    for step in range(10, 20):
        assert tracker.update([], [], step / 25) == []
    assert tracker.update([(100 + 8 * 20, 50, 60, 60)], [ANNA], 20 / 25) == [1]


def test_whoever_comes_back_later_is_somebody_new() -> None:
    tracker = Tracker()
    assert tracker.update([(100, 50, 60, 60)], [ANNA], 0.0) == [1]
    assert tracker.update([], [], 0.1) == []
    assert tracker.update([(100, 50, 60, 60)], [ANNA], PATIENCE_S + 0.1) == [2]


@pytest.mark.parametrize("seconds", [0.5, 1.2, 2.0, 10.0])
def test_whoever_stays_keeps_the_number_however_rarely_they_are_looked_for(seconds: float) -> None:
    tracker, generator = Tracker(), np.random.default_rng(0)
    for step in range(10):
        places = [(x + 15 * generator.standard_normal(), 50, 60, 60) for x in (100, 300)]
        cuts = [shaken(ANNA, generator), shaken(BERTA, generator)]
        assert tracker.update(places, cuts, step * seconds) == [1, 2]
    assert tracker.update(places[::-1], cuts[::-1], 10 * seconds) == [2, 1]


def test_another_face_in_the_same_place_is_somebody_else() -> None:
    tracker = Tracker()
    assert tracker.update([(100, 50, 60, 60)], [ANNA], 0.0) == [1]
    assert tracker.update([(104, 50, 60, 60)], [BERTA], 0.04) == [2]


def test_a_face_that_comes_nearer_keeps_its_number() -> None:
    tracker = Tracker()
    for step in range(100):
        side = 60 + 2 * step  # more than four times as large in the end
        box = (300 - side / 2, 300 - side / 2, side, side)
        assert tracker.update([box], [ANNA], step / 25) == [1]


@pytest.mark.parametrize("side", [20, 180])
def test_a_face_that_is_much_larger_or_smaller_at_once_is_somebody_else(side: int) -> None:
    tracker = Tracker()
    assert tracker.update([(270, 270, 60, 60)], [ANNA], 0.0) == [1]
    box = (300 - side / 2, 300 - side / 2, side, side)
    assert tracker.update([box], [ANNA], 0.04) == [2]


def test_a_look_may_change_altogether_if_it_does_so_bit_by_bit() -> None:
    tracker = Tracker()
    for share in np.linspace(0, 1, 100):
        cut = np.asarray(cv2.addWeighted(ANNA, 1 - share, BERTA, share, 0), dtype=np.uint8)
        assert tracker.update([(100, 50, 60, 60)], [cut], share * 4) == [1]


def test_absences_do_not_add_up() -> None:
    tracker = Tracker()
    for second in range(20):
        assert tracker.update([(100, 50, 60, 60)], [ANNA], second) == [1]
        assert tracker.update([], [], second + 0.5) == []


def test_whatever_covers_a_face_is_not_taken_for_its_look() -> None:
    tracker, anna, berta = Tracker(), (100.0, 50.0, 60.0, 60.0), (118.0, 50.0, 60.0, 60.0)
    assert tracker.update([anna], [ANNA], 0.0) == [1]
    for step in range(1, 30):  # Berta hides most of Anna, and both cuts show Berta
        assert tracker.update([anna, berta], [BERTA, BERTA], step / 25) == [1, 2]
    assert tracker.update([anna], [ANNA], 30 / 25) == [1]


def test_a_small_face_before_a_large_one_covers_little_of_it() -> None:
    large, small = (100.0, 100.0, 200.0, 200.0), (170.0, 170.0, 50.0, 50.0)
    tracker = Tracker()
    assert tracker.update([large, small], [ANNA, face(5)], 0.0) == [1, 2]
    assert tracker.update([large, small], [BERTA, face(5)], 0.04) == [3, 2]


@pytest.mark.parametrize(("somebody_before", "number"), [(True, 1), (False, 3)])
def test_an_absence_counts_for_less_where_somebody_stood_before_the_face(
    somebody_before: bool, number: int
) -> None:
    turned = np.asarray(cv2.addWeighted(ANNA, 0.48, face(3), 0.52, 0), dtype=np.uint8)
    tracker, anna = Tracker(), (100.0, 50.0, 60.0, 60.0)
    other = (115.0 if somebody_before else 300.0, 50.0, 60.0, 60.0)
    assert tracker.update([anna], [ANNA], 0.0) == [1]
    for step in range(1, 13):
        assert tracker.update([other], [BERTA], step / 10) == [2]
    assert tracker.update([anna], [turned], 1.3) == [number]


@pytest.mark.parametrize("seconds", [1.0, 10.0])
def test_a_face_is_not_looked_for_farther_away_however_long_nobody_looked(seconds: float) -> None:
    tracker = Tracker()
    assert tracker.update([(100, 50, 60, 60)], [ANNA], 0.0) == [1]
    assert tracker.update([(1900, 50, 60, 60)], [ANNA], seconds) == [2]


def test_motion_is_told_in_pixels_a_second_whatever_the_frame_rate() -> None:
    for rate in (10, 50):
        tracker = Tracker()
        for step in range(2 * rate):
            tracker.update([(100 + 90 * step / rate, 50, 60, 60)], [ANNA], step / rate)
        np.testing.assert_allclose(tracker.velocity(1), [90, 0], atol=3)


def test_light_and_contrast_do_not_change_a_look() -> None:
    darker = (0.5 * ANNA.astype(np.float64) + 20).astype(np.uint8)
    assert look_of(darker) @ look_of(ANNA) > 0.99
    assert look_of(BERTA) @ look_of(ANNA) < 0.7


def test_pairs_cost_least_together() -> None:
    # The first row takes its second choice, so that the second row needs not go far.
    assert assign(np.array([[1.0, 2.0], [1.5, 9.0]]), worst=10) == [(0, 1), (1, 0)]
    assert assign(np.array([[7.0]]), worst=6) == []
    assert assign(np.empty((0, 3)), worst=6) == []


@pytest.mark.parametrize("seed", range(20))
def test_no_other_pairs_cost_less(seed: int) -> None:
    random = np.random.default_rng(seed)
    cost = np.where(random.random((4, 5)) < 0.4, random.uniform(0, 10, (4, 5)), np.inf)
    # A row that stays alone stands by a column of its own, as does what is worse than the worst.
    padded = np.hstack([np.minimum(cost, 8), np.full((4, 4), 8)])
    least = min(padded[range(4), columns].sum() for columns in permutations(range(9), 4))
    pairs = assign(cost, worst=8)
    assert len(dict(pairs)) == len({column for _, column in pairs}) == len(pairs)
    assert sum(cost[pair] for pair in pairs) + 8 * (4 - len(pairs)) == pytest.approx(least)


def test_somebody_else_after_a_cut_gets_a_number_of_their_own() -> None:
    somebody = np.asarray(cv2.addWeighted(ANNA, 0.4, BERTA, 0.6, 0), dtype=np.uint8)
    assert 0.2 < look_of(ANNA) @ look_of(somebody) < 0.5
    for cut, is_new_scene, number in (
        (somebody, False, 1),
        (somebody, True, 2),
        (ANNA, True, 1),
    ):
        tracker, box = Tracker(), (100.0, 50.0, 60.0, 60.0)
        tracker.update([box], [ANNA], 0.0)
        assert tracker.update([box], [cut], 0.04, is_new_scene) == [number]
