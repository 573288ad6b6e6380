"""What every source is: frames with their times."""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

#: Pictures and iterators without times of their own follow one another so fast.
FRAMES_PER_SECOND = 25.0
#: A frame that stands alone lasts so long.
ONLY_FRAME_S = 1 / FRAMES_PER_SECOND


class TimedFrame(NamedTuple):
    """A picture of a source.

    Attributes:
        number: its place in what is read of the source, from 0 on.
        image_rgb: (H, W, 3).
        time_s: when it is shown, in seconds from the source's beginning.
    """

    number: int
    image_rgb: Image
    time_s: float


class Source:
    """Frames with their times, to be read once; closed at the end of a `with`.

    Attributes:
        name: what it is, for messages.
        is_live: whether frames that are not taken in time are lost.
        is_film: whether frames that follow one another show what has moved on a little.
        expected_frames: about how many come, where that is known beforehand.
    """

    name = ""
    is_live = False
    is_film = True
    expected_frames: int | None = None

    def __iter__(self) -> Iterator[TimedFrame]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and devices."""
