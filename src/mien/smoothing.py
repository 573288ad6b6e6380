"""Probabilities over time: a low-pass filter for every face that is followed."""

import math

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.number import is_number

Floats = NDArray[np.float64]

#: What was not seen for so many time constants has no weight left, and is forgotten.
FORGET_AFTER = 8.0
#: A frame after the one before at the same time counts as so many seconds later: clocks may tell
#: whole seconds, or stand still.
STILL_S = 1 / 25


class Smoother:
    """Smooths the probabilities of each track.

    First-order low-pass: what lies one time constant back weighs e times less. The weights follow
    from times in seconds, so that the result does not depend on the frame rate.

    Args:
        time_constant_s: in seconds; 0 leaves the probabilities as they are.

    Raises:
        ConfigError: the time constant is negative or no number.
    """

    def __init__(self, time_constant_s: float) -> None:
        if not is_number(time_constant_s) or time_constant_s < 0:
            raise ConfigError(f"smoothing_s is {time_constant_s!r}, expected seconds from 0")
        self._time_constant_s = time_constant_s
        self._states: dict[int, tuple[float, Floats]] = {}

    def update(self, track_ids: list[int], probability: Floats, time_s: float) -> Floats:
        """The smoothed probabilities (N, K) of the tracks of a frame at `time_s`."""
        if self._time_constant_s == 0:
            return probability
        smoothed = np.array(probability)
        for row, track_id in enumerate(track_ids):
            if track_id in self._states:
                before_s, state = self._states[track_id]
                passed_s = time_s - before_s if time_s > before_s else STILL_S
                share = 1 - math.exp(-passed_s / self._time_constant_s)
                smoothed[row] = state + share * (probability[row] - state)
            self._states[track_id] = (time_s, smoothed[row])
        oldest_s = time_s - FORGET_AFTER * self._time_constant_s
        self._states = {i: state for i, state in self._states.items() if state[0] >= oldest_s}
        return smoothed
