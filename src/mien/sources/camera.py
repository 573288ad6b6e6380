"""Cameras of this machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import cv2

from mien.errors import SourceError
from mien.images import to_rgb
from mien.sources.source import Source, TimedFrame

#: OpenCV counts cameras by 32 bits.
LARGEST_NUMBER = 2**31 - 1
#: OpenCV's level of logging for nothing at all.
SILENT = 0


class Camera(Source):
    """A camera of this machine, by its number, or as it was opened and set up by OpenCV."""

    is_live = True

    def __init__(self, camera: int | cv2.VideoCapture, every: int = 1) -> None:
        self._every = every
        if isinstance(camera, int):
            self.name, self._capture = f"camera {camera}", _opened_camera(camera)
        else:
            self.name, self._capture = "the capture", camera
        if not self._capture.isOpened():
            raise SourceError(f"{self.name}: there is none, or it is in use")
        if self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
            raise SourceError(f"{self.name}: is of a video file, expected the file's path")

    def __iter__(self) -> Iterator[TimedFrame]:
        began = time.monotonic()
        for number in count():
            is_there, image = self._capture.read()
            if not is_there:
                raise SourceError(f"{self.name}: delivers no more frames")
            if number % self._every == 0:
                yield TimedFrame(number, to_rgb(image, "BGR"), time.monotonic() - began)

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()


def _opened_camera(number: int) -> cv2.VideoCapture:
    if not 0 <= number <= LARGEST_NUMBER:
        raise SourceError(f"camera {number}: cameras are numbered from 0 to {LARGEST_NUMBER}")
    with _silent_opencv():
        return cv2.VideoCapture(number)


def opencv_logging() -> Any:
    """What holds OpenCV's `setLogLevel` and `getLogLevel`: the module itself, before 4.13."""
    return getattr(cv2.utils, "logging", cv2)


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Inside, OpenCV does not write on its own to standard error."""
    logging = opencv_logging()
    before = logging.setLogLevel(SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
