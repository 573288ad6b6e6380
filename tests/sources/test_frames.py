"""Frames that a program makes."""

import numpy as np
import pytest

from mien import SourceError
from mien.sources import open_source

BLACK = np.zeros((64, 96, 3), dtype=np.uint8)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            [(BLACK, 100.0), BLACK, BLACK],
            "frame 1 is an image without seconds, expected image and seconds like those before",
        ),
        (
            [BLACK, BLACK, (BLACK, 100.0)],
            "frame 2 is image and seconds, expected an image without seconds like those before",
        ),
    ],
)
def test_images_with_seconds_and_without_do_not_mix(
    frames: list[object], message: str, live: bool
) -> None:
    with (
        open_source(frames, live=live) as source,
        pytest.raises(SourceError, match=f"^{message}$"),
    ):
        list(source)
