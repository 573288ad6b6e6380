"""Analysed frames in a window, and what its keys do."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import wait
from itertools import count
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from mien.drawing import draw_faces, font_for
from mien.errors import ConfigError
from mien.images import write_image
from mien.streaming import StreamFrame
from mien.video import VideoWriter
from mien.workers import Workers

Image = NDArray[np.uint8]

HELP = (
    "q or Esc: quit",
    "space: pause, and go on",
    "s: save the picture",
    "r: start a recording, and end it",
    "b: show every emotion as a bar",
    "h: show the keys",
)
#: Pictures and recordings are called so, with a number.
STEM = "webcam"
#: Keys are looked for so often.
KEY_S = 0.01
#: Time constant of the frame rate that is shown.
RATE_S = 1.0
#: A message is shown for so long.
MESSAGE_S = 3.0


class Screen(Protocol):
    """Where pictures are shown and keys come from, as `mien.window.Window`."""

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it."""
        ...

    def show(self, image_rgb: Image) -> None:
        """Show a picture (H, W, 3)."""
        ...

    def key(self) -> str:
        """The key that was pressed last, "" if there was none."""
        ...

    def close(self) -> None:
        """Take it from the screen."""
        ...


def while_wanted(
    frames: Generator[StreamFrame, None, None], is_wanted: Callable[[], bool]
) -> Generator[StreamFrame, None, None]:
    """The frames of a stream, which is closed at the end.

    They are waited for in a thread; `is_wanted` is asked here meanwhile. A stream that has fallen
    silent is left alone.
    """
    workers = Workers(1)
    job = workers.submit(lambda: next(frames, None))
    try:
        while is_wanted():
            wait([job], KEY_S)
            if not job.done():
                continue
            frame = job.result()
            if frame is None:
                return
            job = workers.submit(lambda: next(frames, None))
            yield frame
    finally:
        workers.close()
        if job.done():
            frames.close()


class Viewer:
    """Shows frames with their faces, records them, and does what keys say.

    Args:
        screen: where they are shown; it is closed at the end.
        out: the folder of saved pictures and recordings.
        say: is told in a line what was written.
    """

    def __init__(self, screen: Screen, out: Path, say: Callable[[str], None]) -> None:
        self._screen, self._out, self._say = screen, out, say
        self._is_over = self._is_paused = self._shows_bars = self._shows_help = False
        self._newest: StreamFrame | None = None
        self._shown: StreamFrame | None = None  # stands still in a pause
        self._picture: Image | None = None  # the same with its faces
        self._writer: VideoWriter | None = None
        self._writer_began_s = 0.0
        self._message, self._message_until_s = "", 0.0
        self._step_s = 0.0  # from frame to frame, smoothed

    def take(self, frame: StreamFrame) -> None:
        """Show a new frame, unless the picture stands still, and record it.

        Raises:
            OSError: the recording can't be written to; what was written before stays.
        """
        if self._newest is not None:
            step_s = frame.time_s - self._newest.time_s
            weight = 1 - math.exp(-step_s / RATE_S) if self._step_s else 1.0
            self._step_s += weight * (step_s - self._step_s)
        self._newest = frame
        picture = self._drawn(frame)
        if not self._is_paused:
            self._shown, self._picture = frame, picture
        if self._writer is not None:
            self._writer.write(picture, frame.time_s)
        self._refresh()

    def goes_on(self) -> bool:
        """Do what the last key says, and tell whether anybody is still looking.

        Raises:
            OSError: a picture or a recording can't be written.
        """
        key = self._screen.key()
        if key:
            self._press(key)
        return self._screen.is_open and not self._is_over

    def close(self) -> None:
        """End a recording, and close the screen.

        Raises:
            OSError: the recording's end can't be written; what was written before stays.
        """
        try:
            self._end_recording()
        finally:
            self._screen.close()

    def _press(self, key: str) -> None:
        match key:
            case "q" | "\x1b":
                self._is_over = True
            case " ":
                self._is_paused = not self._is_paused
            case "s":
                self._save()
            case "r" if self._writer is None:
                self._record()
            case "r":
                self._end_recording()
            case "b":
                self._shows_bars = not self._shows_bars
                self._picture = self._drawn(self._shown) if self._shown else None
            case "h":
                self._shows_help = not self._shows_help
        self._refresh()

    def _drawn(self, frame: StreamFrame) -> Image:
        """The picture of a frame with its faces, RGB (H, W, 3)."""
        return draw_faces(frame.image_rgb, frame.faces, bars=self._shows_bars)

    def _save(self) -> None:
        if self._picture is not None:
            path = self._free_path(".png")
            write_image(path, self._picture)
            self._tell(path, "saved")

    def _record(self) -> None:
        if self._newest is None:
            return
        path, self._writer_began_s = self._free_path(".mp4"), self._newest.time_s
        try:
            self._writer = VideoWriter(path, start_s=self._writer_began_s)
        except ConfigError as error:  # PyAV is missing
            self._say(str(error))
            return
        self._writer.write(self._drawn(self._newest), self._newest.time_s)
        self._say(f"{path}: recording")

    def _end_recording(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        finally:
            if writer.path.exists():
                self._tell(writer.path, f"recorded, {self._recorded_s():.0f} s")

    def _recorded_s(self) -> float:
        return 0.0 if self._newest is None else self._newest.time_s - self._writer_began_s

    def _free_path(self, suffix: str) -> Path:
        """A name that no file has, nor what an interrupted program left of one."""
        names = (f"{STEM}-{number}{suffix}" for number in count(1))
        taken = {path.name.removesuffix(".part") for path in self._out.glob(f"{STEM}-*")}
        return self._out / next(name for name in names if name not in taken)

    def _tell(self, path: Path, what: str) -> None:
        self._say(f"{path}: {what}")
        if self._newest is not None:
            self._message = f"{path.name}: {what}"
            self._message_until_s = self._newest.time_s + MESSAGE_S

    def _refresh(self) -> None:
        if self._picture is not None and self._screen.is_open:
            self._screen.show(with_text(self._picture, list(self._status())))

    def _status(self) -> Iterator[str]:
        """What stands in the window's corner."""
        if self._step_s:
            yield f"{1 / self._step_s:.0f} frames/s"
        if self._is_paused:
            yield "paused"
        if self._writer is not None:
            yield f"recording {self._writer.path.name}, {self._recorded_s():.0f} s"
        if self._newest is not None and self._newest.time_s < self._message_until_s:
            yield self._message
        yield from HELP if self._shows_help else HELP[-1:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()


def with_text(image_rgb: Image, lines: Sequence[str]) -> Image:
    """A new picture (H, W, 3) with lines of text in the upper left corner."""
    picture = Picture.fromarray(image_rgb)
    pen = ImageDraw.Draw(picture)
    size = max(13, min(picture.size) // 36)
    text, place = "\n".join(lines), (size, size)
    font = font_for(text, size)
    left, top, right, bottom = pen.multiline_textbbox(place, text, font=font)
    margin = size // 2
    pen.rectangle((left - margin, top - margin, right + margin, bottom + margin), "#000000")
    pen.multiline_text(place, text, "#FFFFFF", font=font)
    return np.array(picture)
