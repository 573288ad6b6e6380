import math

import numpy as np
import pytest

from mien import ConfigError
from mien.smoothing import Smoother


@pytest.mark.parametrize("rate", [5, 100])
def test_after_one_time_constant_a_step_has_come_up_to_its_share(rate: int) -> None:
    smoother = Smoother(0.5)
    smoother.update([1], np.array([[1.0, 0.0]]), 0.0)
    for step in range(1, rate // 2 + 1):
        smoothed = smoother.update([1], np.array([[0.0, 1.0]]), step / rate)
    expected = math.exp(-(rate // 2) / rate / 0.5)
    np.testing.assert_allclose(smoothed, [[expected, 1 - expected]], atol=1e-12)


def test_each_track_has_its_own_past() -> None:
    smoother = Smoother(1.0)
    smoother.update([1, 2], np.array([[1.0, 0.0], [0.0, 1.0]]), 0.0)
    swapped = smoother.update([2, 1], np.array([[0.0, 1.0], [1.0, 0.0]]), 0.1)
    np.testing.assert_allclose(swapped, [[0.0, 1.0], [1.0, 0.0]])


def test_nothing_is_smoothed_with_a_time_constant_of_zero() -> None:
    smoother, values = Smoother(0), np.array([[0.3, 0.7]])
    smoother.update([1], np.array([[1.0, 0.0]]), 0.0)
    assert smoother.update([1], values, 0.1) is values


def test_what_lies_far_back_is_forgotten() -> None:
    smoother = Smoother(0.5)
    smoother.update([1], np.array([[1.0, 0.0]]), 0.0)
    smoother.update([2], np.array([[1.0, 0.0]]), 100.0)
    np.testing.assert_array_equal(smoother.update([1], np.array([[0.0, 1.0]]), 100.0), [[0.0, 1.0]])


def test_a_face_that_was_away_for_a_few_time_constants_still_has_its_past() -> None:
    smoother = Smoother(0.5)
    smoother.update([1], np.array([[1.0, 0.0]]), 0.0)
    smoother.update([], np.empty((0, 2)), 1.9)
    smoothed = smoother.update([1], np.array([[0.0, 1.0]]), 2.0)
    np.testing.assert_allclose(smoothed[0, 0], math.exp(-2.0 / 0.5))


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan])
def test_other_time_constants_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="smoothing_s is"):
        Smoother(seconds)


def test_time_that_stands_still_counts_as_a_frame() -> None:
    smoother = Smoother(0.5)
    smoother.update([1], np.array([[1.0, 0.0]]), 7.0)
    smoothed = smoother.update([1], np.array([[0.0, 1.0]]), 7.0)
    np.testing.assert_allclose(smoothed[0, 0], math.exp(-0.04 / 0.5))
