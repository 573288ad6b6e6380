"""Where a film cuts from one scene to another."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: Frames are compared as small pictures of this width and height, drawn from so many times as
#: many points either way.
SMALL_SIZE, POINTS = (32, 24), 4
#: Frames less alike than this are of two scenes: one after the other, in a hand that shakes or a
#: camera that turns, they stay above 0.9.
LEAST_LIKENESS = 0.7
#: Frames that are farther apart, in seconds, may be of one scene however they differ.
LONGEST_GAP_S = 0.25
#: Variance of grey values below which pictures are alike, as blank ones are.
BLANK_VARIANCE = (0.03 * 255) ** 2


class SceneCuts:
    """Compares every frame with the one before it."""

    def __init__(self) -> None:
        self._last: tuple[Floats, float] | None = None

    def is_cut(self, frame_rgb: Image, time_s: float) -> bool:
        """Whether another scene begins with this frame, which is shown at this time."""
        small = _small(frame_rgb)
        last, self._last = self._last, (small, time_s)
        if last is None or time_s - last[1] > LONGEST_GAP_S:
            return False
        return _likeness(last[0], small) < LEAST_LIKENESS


def _small(frame_rgb: Image) -> Floats:
    """A small picture of mean 0: how bright it is on the whole tells no scene."""
    height, width = frame_rgb.shape[:2]
    columns, rows = SMALL_SIZE
    points = frame_rgb[:: max(1, height // (POINTS * rows)), :: max(1, width // (POINTS * columns))]
    small = cv2.resize(np.ascontiguousarray(points), SMALL_SIZE, interpolation=cv2.INTER_AREA)
    values = np.asarray(small, dtype=np.float64)
    values -= values.mean(axis=(0, 1))
    return values


def _likeness(one: Floats, other: Floats) -> float:
    """1 for the same picture, about 0 for any two.

    Source: contrast and structure of SSIM, Wang et al. 2004, doi 10.1109/TIP.2003.819861.
    """
    variances = (one**2).mean() + (other**2).mean()
    return float((2 * (one * other).mean() + BLANK_VARIANCE) / (variances + BLANK_VARIANCE))
