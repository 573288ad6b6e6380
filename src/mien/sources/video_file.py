"""Video files and streams, with the times that they hold."""

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import SourceError
from mien.images import MOST_PIXELS
from mien.sources.clock import CLOSE_S, COUNTING_FORMAT, MICROSECONDS, Clock
from mien.sources.container import open_container
from mien.sources.source import Image, Source, TimedFrame

if TYPE_CHECKING:
    import av

#: Some containers are sought by any frame, and decoding begins with a later one that stands alone:
#: then the file is read from so many seconds before, and at last from its beginning.
SEEK_MARGINS_S = (0.0, 10.0)
#: A stream that says nothing for so long has ended.
SILENCE_S = 10.0
#: Frames of fewer pixels are decoded by one thread: two take twice the processor's time for them.
FEW_PIXELS = 500_000
#: Pixels of a video are no more than so many times as wide as high, or as high as wide.
MOST_STRETCH = 4


class Video(Source):
    """A video file or stream, with the presentation times that it holds.

    Frames are turned as their file says, and stretched where their pixels are no squares.
    """

    def __init__(
        self,
        path: str | Path,
        every: int = 1,
        start_s: float = 0.0,
        end_s: float | None = None,
        is_address: bool = False,
    ) -> None:
        if find_spec("av") is None:
            raise SourceError("videos need PyAV, which is not installed: pip install 'mien[video]'")
        self.name, self._is_address, self._every = str(path), is_address, every
        self._start_s, self._end_s = start_s, end_s
        self._is_used_up = False
        self._open()
        duration_s = (self._container.duration or 0) / MICROSECONDS
        if 0 < duration_s <= start_s:
            self.close()
            raise SourceError(
                f"{path}: ends at {duration_s:.2f} s, expected to begin at {start_s:g} s"
            )
        self.expected_frames = self._expected_frames()

    def _expected_frames(self) -> int | None:
        duration, rate = self._container.duration, self._stream.average_rate
        if self.is_live or not duration or not rate:
            return None
        end_s = min(duration / MICROSECONDS, math.inf if self._end_s is None else self._end_s)
        return max(0, round((end_s - self._start_s) * float(rate) / self._every))

    def __iter__(self) -> Iterator[TimedFrame]:
        """The frames, upright, from the start to the end.

        Raises:
            SourceError: the file is damaged, or ends clearly before the time it says itself; after
                the frames that could be read. Or it was read or closed before.
        """
        if self._is_used_up:
            raise SourceError(f"{self.name}: was read or closed before, expected to be opened anew")
        self._is_used_up = True
        number = 0
        for frame, time_s in self._timed_frames():
            if self._end_s is not None and time_s >= self._end_s - CLOSE_S:
                return
            if time_s < self._start_s - CLOSE_S:
                continue
            if number % self._every == 0:
                shape = self._stream.sample_aspect_ratio
                yield TimedFrame(number, upright(frame, shape), time_s)
            number += 1

    def close(self) -> None:
        """Close the file."""
        self._is_used_up = True
        self._container.close()

    def _open(self) -> None:
        import av

        try:
            # Whole paths, since what stands before a colon is taken for a protocol.
            place = self.name if self._is_address else Path(self.name).absolute()
            self._container = open_container(place, SILENCE_S if self._is_address else None)
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = _reason(error)
            raise SourceError(f"{self.name}: can't be read as a video ({reason})") from error
        try:
            self._stream = self._moving_stream()
        except SourceError:
            self._container.close()
            raise
        self.is_live = self._is_address and (self._container.duration or 0) <= 0
        if self._stream.width * self._stream.height >= FEW_PIXELS:
            # Threads that decode a frame each give a frame only when they all have one.
            self._stream.thread_type = "SLICE" if self.is_live else "AUTO"
        else:
            self._stream.codec_context.thread_count = 1

    def _moving_stream(self) -> "av.VideoStream":
        from av.stream import Disposition

        if self._container.format.name.endswith("_pipe") and not self._is_address:
            raise SourceError(f"{self.name}: is a picture, expected a video")
        for stream in self._container.streams.video:
            if stream.disposition & Disposition.attached_pic:  # the cover of a song
                continue
            if stream.codec_context is None:
                raise SourceError(f"{self.name}: nothing here can decode its video")
            if stream.width * stream.height > MOST_PIXELS:
                raise SourceError(
                    f"{self.name}: {stream.width} x {stream.height} pixels, expected at most "
                    f"{MOST_PIXELS // 1_000_000} million"
                )
            # Later frames may be larger than the container says.
            stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
            return stream
        raise SourceError(f"{self.name}: holds no video")

    def _timed_frames(self) -> Iterator[tuple["av.VideoFrame", float]]:
        """The frames and their seconds, from the start or somewhat before it."""
        is_counted = self._container.format.name == COUNTING_FORMAT
        for margin_s in () if is_counted else SEEK_MARGINS_S:
            if self._start_s > margin_s:
                frames = self._read(self._start_s - margin_s)
                with suppress(SourceError, StopIteration):
                    first = next(frames)
                    if first[1] <= self._start_s + CLOSE_S:
                        return chain([first], frames)
                self._container.close()
                self._open()
        return self._read(0.0)

    def _read(self, begin_s: float) -> Iterator[tuple["av.VideoFrame", float]]:
        """The frames and their seconds, from about `begin_s` on."""
        import av

        clock = Clock(self._container, self._stream)
        if begin_s > 0:
            # What can't be sought is read from its beginning.
            with suppress(av.FFmpegError, OverflowError):
                self._container.seek(int((begin_s + clock.first_s) * MICROSECONDS))
        packets = self._container.demux(self._stream)
        damage: av.FFmpegError | None = None
        try:
            for packet in packets:
                clock.note(packet)
                for frame in self._decoded(packet):
                    yield frame, clock.time_s(frame)
        except av.FFmpegError as error:
            damage = error
        if damage is not None:
            with suppress(av.FFmpegError):
                for frame in self._stream.decode(None):  # those that wait in the decoder
                    yield frame, clock.time_s(frame)
        if not self.is_live or damage is not None:
            self._check_end(clock, damage, packets)

    def _decoded(self, packet: "av.Packet[av.VideoStream]") -> "list[av.VideoFrame]":
        """The frames of a packet; none where a live stream has lost a part of it."""
        import av

        try:
            return packet.decode()
        except av.FFmpegError:
            if self.is_live:
                return []
            raise

    def _check_end(
        self,
        clock: Clock,
        damage: "av.FFmpegError | None",
        rest: Iterator["av.Packet[av.VideoStream]"],
    ) -> None:
        """Raise if the frames ended by damage or too soon."""
        reason = "" if damage is None else f" ({_reason(damage)})"
        reached_s = self._start_s if clock.end_s is None else clock.end_s
        where = f"{reached_s:.2f} s"
        if clock.stated_end_s is not None:
            where += f" of {clock.stated_end_s:.2f} s"
        if damage is not None and _holds_data(rest):
            raise SourceError(f"{self.name}: is damaged after {where}{reason}")
        if reached_s == 0:
            raise SourceError(f"{self.name}: holds no frame that can be decoded{reason}")
        if damage is not None or clock.misses_a_part(reached_s):
            before = "before" if clock.end_s is None else "after"
            raise SourceError(f"{self.name}: ends {before} {where}{reason}")


def _holds_data(packets: Iterator["av.Packet[av.VideoStream]"]) -> bool:
    import av

    with suppress(av.FFmpegError):
        return any(packet.size for packet in packets)
    return True


def upright(frame: "av.VideoFrame", pixel_shape: Fraction | None = None) -> Image:
    """A decoded frame as RGB (H, W, 3), turned as its file says.

    Args:
        frame: as it was decoded.
        pixel_shape: width over height of a pixel; where they are no squares, the frame is stretched
            along its shorter way, and one that can't be meant counts as a square.
    """
    width, height = frame.width, frame.height
    if pixel_shape is not None and 1 / MOST_STRETCH <= pixel_shape <= MOST_STRETCH:
        width = round(width * max(float(pixel_shape), 1.0))
        height = round(height / min(float(pixel_shape), 1.0))
    # Threads of its own, for a fraction of a millisecond, would be in the way of the analysis.
    values = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
    image = np.asarray(values, dtype=np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _reason(error: BaseException) -> str:
    import av

    if isinstance(error, av.error.ExitError):  # by the time limit
        return f"nothing came for {SILENCE_S:.0f} s"
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:120]
