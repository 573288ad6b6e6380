"""A source that is played like a camera."""

import time
from collections.abc import Callable, Iterator

from mien.sources.source import Source, TimedFrame


class Paced(Source):
    """A source that is played like a camera: each frame comes when it is its time.

    Args:
        source: what is played.
        clock: tells the seconds.
        sleep: lets seconds pass.
    """

    is_live = True

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.is_film = source.name, source.is_film
        self.expected_frames = source.expected_frames
        self._source, self._clock, self._sleep = source, clock, sleep

    def __iter__(self) -> Iterator[TimedFrame]:
        began_s: float | None = None
        for frame in self._source:
            if began_s is None:
                began_s = self._clock() - frame.time_s
            self._sleep(max(0.0, frame.time_s - (self._clock() - began_s)))
            yield frame

    def close(self) -> None:
        """Close what is played."""
        self._source.close()
