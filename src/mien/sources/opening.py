"""From whatever a caller has to its source."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from mien.errors import ConfigError, SourceError
from mien.files import PICTURE_SUFFIXES
from mien.images import check_color
from mien.number import is_number
from mien.sources.camera import Camera
from mien.sources.frames import Frames
from mien.sources.pictures import Pictures
from mien.sources.source import Source
from mien.sources.video_file import Video


def open_source(
    source: object,
    *,
    color: str = "BGR",
    every: int = 1,
    start_s: float = 0.0,
    end_s: float | None = None,
    live: bool = False,
) -> Source:
    """Open whatever frames come from.

    Args:
        source: a video file, a picture, a folder of pictures, the address of a stream, the number
            of a camera or an open `cv2.VideoCapture` of one, an iterable of frames, each an image
            or a pair of image and seconds, or a `Source`, which is returned. A GIF counts as a
            video. Of a camera, and of a stream that does not say how long it is, only the newest
            frame is taken.
        color: the order of the channels of an iterable's images.
        every: take every n-th frame.
        start_s: a file is read from here on.
        end_s: a file is read up to here.
        live: of an iterable, too, only the newest frame is taken.

    Raises:
        SourceError: it can't be opened, or holds no picture.
        ConfigError: a number does not suit the source.
        ImageError: there is no such order of channels.
    """
    check_color(color)
    if not isinstance(every, int | np.integer) or every < 1:
        raise ConfigError(f"every is {every!r}, expected a whole number from 1")
    every = int(every)  # NumPy's small ones can't count far
    _check_seconds(start_s, end_s)
    if live and (isinstance(source, str | Path | int | Source) or not isinstance(source, Iterable)):
        raise ConfigError("live is for iterables of frames; cameras are live as they are")
    if isinstance(source, str) and not source:
        raise SourceError("an empty name came, expected a file, an address or a camera's number")
    if isinstance(source, str | Path) and not is_address_or_camera(source):
        return _open_file(Path(source), every, start_s, end_s)
    if start_s or end_s is not None:
        raise ConfigError("start_s and end_s are for video files")
    if isinstance(source, Source):
        if every != 1:
            raise ConfigError("every is for a source that is yet to be opened")
        return source
    if isinstance(source, int | np.integer) and not isinstance(source, bool):
        return Camera(int(source), every)
    if isinstance(source, cv2.VideoCapture):
        return Camera(source, every)
    if isinstance(source, str):
        is_number = source.isdecimal()
        return Camera(int(source), every) if is_number else Video(source, every, is_address=True)
    if isinstance(source, np.ndarray) and source.ndim < 4:
        raise SourceError(f"one picture of shape {source.shape} came, expected several")
    if isinstance(source, Iterable):
        return Frames(source, color, every, live)
    raise SourceError(
        f"the source is of type {type(source).__name__}, expected a path, an address, the number "
        "of a camera, a cv2.VideoCapture, or an iterable of frames"
    )


def is_address_or_camera(source: str | Path) -> bool:
    """Whether it is the address of a stream, or the number of a camera; a `Path` is neither."""
    return isinstance(source, str) and ("://" in source or source.isdecimal())


def _open_file(path: Path, every: int, start_s: float, end_s: float | None) -> Source:
    try:
        return _opened_file(path, every, start_s, end_s)
    except OSError as error:
        raise SourceError(f"{path}: can't be read ({error.strerror})") from error


def _opened_file(path: Path, every: int, start_s: float, end_s: float | None) -> Source:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if not path.is_dir() and path.suffix.lower() not in PICTURE_SUFFIXES - {".gif"}:
        if not path.is_file():
            raise SourceError(f"{path}: a device, expected a file, or the number of a camera")
        return Video(path, every, start_s, end_s)
    if start_s or end_s is not None:
        raise ConfigError(f"{path}: start_s and end_s are for video files")
    return Pictures(path, every)


def _check_seconds(start_s: float, end_s: float | None) -> None:
    for name, value in (("start_s", start_s), ("end_s", 0 if end_s is None else end_s)):
        if not is_number(value) or value < 0:
            raise ConfigError(f"{name} is {value!r}, expected seconds from 0")
    if end_s is not None and end_s <= start_s:
        raise ConfigError(f"end_s is {end_s!r}, expected more than start_s, {start_s!r}")
