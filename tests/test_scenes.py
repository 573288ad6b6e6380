import numpy as np
import pytest
from numpy.typing import NDArray

from mien.scenes import LONGEST_GAP_S, SceneCuts

Image = NDArray[np.uint8]
GAP_S = 0.04


def cuts(frames: list[Image], gap_s: float = GAP_S) -> list[bool]:
    scenes = SceneCuts()
    return [scenes.is_cut(frame, place * gap_s) for place, frame in enumerate(frames)]


@pytest.mark.parametrize("size", [(480, 640), (1081, 1917), (9, 5), (1, 1)])
def test_another_picture_is_a_cut(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    one = np.dstack([rows * 255 // size[0]] * 3).astype(np.uint8)
    other = np.dstack([columns * 255 // size[1]] * 3).astype(np.uint8)
    expected = size != (1, 1)  # there, all pictures are blank
    assert cuts([one, one, other, other, one]) == [False, False, expected, False, expected]


def test_motion_noise_light_and_a_covered_lens_are_no_cuts(astronaut: Image) -> None:
    generator = np.random.default_rng(0)
    frames = [np.roll(astronaut, 4 * step, axis=1) for step in range(5)]
    frames += [(frames[-1] * share).astype(np.uint8) for share in (0.6, 1.0, 0.7)]
    assert not any(cuts(frames))
    dark = [generator.integers(0, 12, (240, 320, 3), dtype=np.uint8) for _ in range(5)]
    assert not any(cuts(dark))
    assert cuts([dark[0], astronaut[:240, :320]]) == [False, True]


def test_frames_far_apart_are_not_compared(astronaut: Image) -> None:
    frames = [astronaut, astronaut[::-1]]
    assert cuts(frames) == [False, True]
    assert cuts(frames, 1.01 * LONGEST_GAP_S) == [False, False]
