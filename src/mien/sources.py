"""Where frames come from: video files, pictures, cameras, stream addresses, iterators."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, ImageError, SourceError
from mien.files import PICTURE_SUFFIXES, files_in
from mien.images import read_image, to_rgb

if TYPE_CHECKING:
    import av

Image = NDArray[np.uint8]

#: Pictures and iterators without times of their own follow one another so fast.
FRAMES_PER_SECOND = 25.0
#: Times are differences of floats: so much nearer is the same.
CLOSE_S = 1e-6
#: PyAV counts the times of containers in these parts of a second.
MICROSECONDS = 1_000_000
#: OpenCV counts cameras by 32 bits.
LARGEST_NUMBER = 2**31 - 1
#: Some containers are sought by any frame, and decoding begins with a later one that stands alone:
#: then the file is read from so many seconds before, and at last from its beginning.
SEEK_MARGINS_S = (0.0, 10.0)
#: It holds the times of decoding alone: frames are counted from its beginning.
COUNTING_FORMAT = "avi"
#: A stream that says nothing for so long has ended.
SILENCE_S = 10.0
#: Frames of fewer pixels are decoded by one thread: two take twice the processor's time for them.
FEW_PIXELS = 500_000
#: Pixels of a video are no more than so many times as wide as high, or as high as wide.
MOST_STRETCH = 4
#: A video that ends sooner than its container says by no more than this, in seconds and as a share
#: of the whole, is complete: containers round, and the last frame may last.
LEAST_MISSING_S, MISSING_SHARE = 0.5, 0.01


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


class Source(AbstractContextManager["Source"]):
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
        every: of so many frames one is taken.
        start_s: a file is read from here on.
        end_s: a file is read up to here.
        live: of an iterable, too, only the newest frame is taken.

    Raises:
        SourceError: it can't be opened, or holds no picture.
        ConfigError: a number does not suit the source.
    """
    if not isinstance(every, int | np.integer) or every < 1:
        raise ConfigError(f"every is {every!r}, expected a whole number from 1")
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
    except PermissionError as error:
        raise SourceError(f"{path}: may not be read ({error.strerror})") from error


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
    for name, value in (("start_s", start_s), ("end_s", end_s)):
        if name == "end_s" and value is None:
            continue
        if not _is_time(value, 0):
            raise ConfigError(f"{name} is {value!r}, expected seconds from 0")
    if end_s is not None and end_s <= start_s:
        raise ConfigError(f"end_s is {end_s!r}, expected more than start_s, {start_s!r}")


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
                the frames that could be read.
        """
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
        self._container.close()

    def _open(self) -> None:
        import av

        try:
            # Whole paths, since what stands before a colon is taken for a protocol.
            place = self.name if self._is_address else str(Path(self.name).absolute())
            self._container = av.open(
                place,
                timeout=SILENCE_S if self._is_address else None,
                metadata_errors="replace",  # titles come in all encodings
            )
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
                self.close()
                self._open()
        return self._read(0.0)

    def _read(self, begin_s: float) -> Iterator[tuple["av.VideoFrame", float]]:
        """The frames and their seconds, from about `begin_s` on."""
        import av

        clock = _Clock(self._container, self._stream)
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
        clock: "_Clock",
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


class _Clock:
    """When the frames of a video are shown, in seconds from its beginning.

    Attributes:
        first_s: when the first stream begins by the container's own times.
        end_s: when the last frame that was read ends; None before the first.
        stated_end_s: when the video ends by what the container says, if it does.
    """

    def __init__(self, container: "av.container.InputContainer", stream: "av.VideoStream") -> None:
        self._step_s = 1 / float(stream.average_rate or FRAMES_PER_SECOND)
        self._last_s: float | None = None
        self._shown_s = self._step_s
        self._longest_s = LEAST_MISSING_S
        # The frames are shown in the rhythm in which they are decoded.
        self._has_decoding_times = container.format.name == COUNTING_FORMAT
        self._decoding_times = deque[int]()
        self._first = Fraction(container.start_time or 0, MICROSECONDS)
        self.first_s = float(self._first)
        end_s = _stated_end_s(container, stream)
        self.stated_end_s = None if end_s is None else end_s - self.first_s

    @property
    def end_s(self) -> float | None:
        return None if self._last_s is None else self._last_s + self._shown_s

    def note(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Take notice of what is decoded next."""
        if self._has_decoding_times and packet.dts is not None:
            self._decoding_times.append(packet.dts)

    def time_s(self, frame: "av.VideoFrame") -> float:
        """When a frame is shown, never earlier than the one before it."""
        pts = self._decoding_times.popleft() if self._decoding_times else frame.pts
        time_s = 0.0
        if pts is not None and frame.time_base is not None:
            time_s = float(pts * frame.time_base - self._first)
            if abs(time_s) < CLOSE_S:
                time_s = 0.0
        if self._last_s is not None:
            if pts is None or time_s < self._last_s:
                time_s = self._last_s + self._step_s
            self._longest_s = max(self._longest_s, time_s - self._last_s)
        self._last_s = time_s
        if frame.duration and frame.time_base is not None:
            self._shown_s = float(frame.duration * frame.time_base)
        return time_s

    def misses_a_part(self, reached_s: float) -> bool:
        """Whether more is missing than rounding and a long last frame explain."""
        if self.stated_end_s is None:
            return False
        return self.stated_end_s - reached_s > self._longest_s + MISSING_SHARE * self.stated_end_s


def _stated_end_s(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> float | None:
    """When a video ends by the container's own times; None where it does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    with suppress(KeyError, ValueError):  # Matroska has it as a tag
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    if container.duration is None or len(container.streams) > 1:
        return None
    return ((container.start_time or 0) + container.duration) / MICROSECONDS


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


class Pictures(Source):
    """A picture, or the pictures of a folder in the order of their names."""

    is_film = False

    def __init__(self, path: Path, every: int = 1) -> None:
        self.name, self._every = str(path), every
        self._paths = [path]
        if path.is_dir():
            self._paths = files_in(path, PICTURE_SUFFIXES)
        if not self._paths:
            raise SourceError(f"{path}: holds no pictures")
        self.expected_frames = len(range(0, len(self._paths), every))

    def __iter__(self) -> Iterator[TimedFrame]:
        for number in range(0, len(self._paths), self._every):
            yield TimedFrame(number, read_image(self._paths[number]), number / FRAMES_PER_SECOND)


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
                raise SourceError(f"{self.name}: gives no frames any more")
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
        self.name = source.name
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


class Frames(Source):
    """Any iterable of images, or of pairs of image and seconds."""

    name = "frames"

    def __init__(
        self, frames: Iterable[Any], color: str = "BGR", every: int = 1, is_live: bool = False
    ) -> None:
        self._frames, self._color, self._every, self.is_live = frames, color, every, is_live
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

    def close(self) -> None:
        """Close the iterable, if it is a generator or the like."""
        self._closing.close()


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Inside, OpenCV does not write on its own to standard error."""
    logging = cv2.utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _timed(frame: tuple[Any, ...], number: int, last_s: float) -> tuple[Any, float]:
    """An image and its seconds, which never go back."""
    if len(frame) != 2:
        raise SourceError(f"frame {number} is a tuple of {len(frame)}, expected image and seconds")
    image, time_s = frame
    if not _is_time(time_s, last_s):
        told = f"an array {time_s.shape}" if isinstance(time_s, np.ndarray) else repr(time_s)
        raise SourceError(f"frame {number} is at {told}, expected seconds from {last_s} on")
    return image, float(time_s)


def _is_time(value: Any, least_s: float) -> bool:
    """Whether it is seconds, from the least on."""
    is_number = isinstance(value, int | float | np.number)
    return is_number and least_s <= float(value) < math.inf


def _reason(error: BaseException) -> str:
    import av

    if isinstance(error, av.error.ExitError):  # by the time limit
        return f"nothing came for {SILENCE_S:.0f} s"
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:120]
