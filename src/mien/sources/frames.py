"""Frames that a program has already, or makes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from mien.errors import ImageError, SourceError
from mien.images import to_rgb
from mien.number import is_number
from mien.sources.source import FRAMES_PER_SECOND, Source, TimedFrame


class Frames(Source):
    """Any iterable of images, or of pairs of image and seconds."""

    name = "frames"

    def __init__(
        self, frames: Iterable[Any], color: str = "BGR", every: int = 1, is_live: bool = False
    ) -> None:
        self._frames, self._color, self._every, self.is_live = frames, color, every, is_live
        self._have_times: bool | None = None
        self._closing = ExitStack()
        close = getattr(frames, "close", None)
        if callable(close):
            self._closing.callback(close)

    def __iter__(self) -> Iterator[TimedFrame]:
        last_s, began_s = 0.0, time.monotonic()
        for number, frame in enumerate(self._frames):
            if number % self._every:
                continue
            image, time_s = frame, number / FRAMES_PER_SECOND
            if self.is_live:
                time_s = time.monotonic() - began_s
            self._check_alike(frame, number)
            if isinstance(frame, tuple):
                image, time_s = _timed(frame, number, last_s)
            last_s = time_s
            try:
                image_rgb = to_rgb(image, self._color)
            except ImageError as error:
                raise ImageError(f"frame {number}: {error}") from error
            if np.may_share_memory(image_rgb, image):
                image_rgb = image_rgb.copy()  # whoever reuses the memory does so before it is seen
            yield TimedFrame(number, image_rgb, time_s)

    def _check_alike(self, frame: Any, number: int) -> None:
        """Times of a program's own and times that are counted here would go back and forth."""
        has_time = isinstance(frame, tuple)
        if self._have_times is None:
            self._have_times = has_time
        if has_time != self._have_times:
            ways = "an image without seconds", "image and seconds"
            came, expected = ways[has_time], ways[self._have_times]
            raise SourceError(f"frame {number} is {came}, expected {expected} like those before")

    def close(self) -> None:
        """Close the iterable, if it is a generator or the like."""
        self._closing.close()


def _timed(frame: tuple[Any, ...], number: int, last_s: float) -> tuple[Any, float]:
    """An image and its seconds, which never go back."""
    if len(frame) != 2:
        raise SourceError(f"frame {number} is a tuple of {len(frame)}, expected image and seconds")
    image, time_s = frame
    if not is_number(time_s) or time_s < last_s:
        told = f"an array {time_s.shape}" if isinstance(time_s, np.ndarray) else repr(time_s)
        raise SourceError(f"frame {number} is at {told}, expected seconds from {last_s} on")
    return image, float(time_s)
