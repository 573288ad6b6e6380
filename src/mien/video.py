"""Videos that are written frame by frame and play up to the last whole second, come what may."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.files import part_of
from mien.images import check_rgb
from mien.number import is_number
from mien.soundtrack import SoundTrack
from mien.sources.source import ONLY_FRAME_S

if TYPE_CHECKING:
    import av

Image = NDArray[np.uint8]

#: Times are written in these parts of a second, as MPEG does.
TICKS_A_SECOND = 90_000
#: A picture that needs no other comes at least so often; a fragment of the file begins with it.
KEY_FRAME_S = 1.0
#: The encoder plans with so many frames a second; their times are their own.
PLANNED_RATE = 30


class VideoWriter:
    """Writes frames, and the sound of another file, as H.264 in fragmented MP4.

    The file is written as NAME.part and takes its name when it is closed. Whatever breaks the
    writing off, what was written until the last whole fragment can be played.

    Args:
        path: the file, a name in .mp4.
        sound_of: a file whose first sound track is kept; None for silence.
        start_s: where in that file the first frame lies: the sound before is left out.
        end_s: the sound from here on is left out.

    Raises:
        ConfigError: the name does not end in .mp4, or PyAV is missing.
        SourceError: the file with the sound can't be read.
        OSError: the file can't be written.
    """

    def __init__(
        self,
        path: str | Path,
        sound_of: str | Path | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
    ) -> None:
        path = Path(path)
        check_video_path(path)
        import av

        self.path, self._part = path, part_of(path)
        self._start_s = start_s
        self._sound = None if sound_of is None else SoundTrack(sound_of, start_s, end_s)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")
        self._container = av.open(
            self._file,
            "w",
            format="mp4",
            options={"movflags": "frag_keyframe+delay_moov+default_base_moof"},
        )
        self._stream: av.VideoStream | None = None
        self._last_s: float | None = None
        self._step_s = 0.0
        self._ticks = -1
        self._key_s: float | None = None
        self._is_broken = self._is_closed = False

    def write(self, image_rgb: Image, time_s: float) -> None:
        """Add a frame (H, W, 3) that is shown at `time_s`, after the frame before.

        A frame of another size than the first is fitted into its size.

        Raises:
            ImageError: the frame is no uint8 array (H, W, 3).
            ConfigError: the time is no number of seconds from 0, or the file is closed.
            OSError: the disk is full, or the like; what was written before stays.
        """
        if self._is_closed:
            raise ConfigError(f"{self.path}: a frame came after the video was closed")
        check_rgb(image_rgb)
        if not is_number(time_s) or time_s < 0:
            raise ConfigError(f"time_s is {time_s!r}, expected seconds from 0")
        import av
        from av.video.frame import PictureType

        if self._stream is None:
            self._stream = self._opened_stream(image_rgb)
        width, height = self._stream.width, self._stream.height
        frame = av.VideoFrame.from_ndarray(fitted(image_rgb, width, height), format="rgb24")
        self._ticks = max(round((time_s - self._start_s) * TICKS_A_SECOND), self._ticks + 1)
        frame.pts = self._ticks
        frame.time_base = Fraction(1, TICKS_A_SECOND)
        if self._key_s is None or time_s - self._key_s >= KEY_FRAME_S:
            frame.pict_type, self._key_s = PictureType.I, time_s
        if self._last_s is not None:
            self._step_s = time_s - self._last_s
        self._last_s = time_s
        self._mux(self._encoded(frame), time_s - self._start_s)

    def close(self, sound_to_its_end: bool = True) -> None:
        """Finish the file.

        Args:
            sound_to_its_end: sound that goes on after the last frame is kept.

        Raises:
            OSError: the end can't be written; what was written before stays.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if not self._is_broken and self._stream is not None and self._last_s is not None:
                end_s = None if sound_to_its_end else self._last_s + self._shown_s() - self._start_s
                self._mux(self._last_packets(), end_s)
                with self._writing():
                    self._container.close()
        finally:
            self._put_in_place()

    def _opened_stream(self, image_rgb: Image) -> "av.VideoStream":
        height, width = image_rgb.shape[:2]
        options = {"preset": "veryfast", "crf": "20", "bf": "0"}
        stream = self._container.add_stream("libx264", rate=PLANNED_RATE, options=options)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)
        if self._sound is not None:
            self._sound.add_to(self._container)
        return stream

    def _encoded(self, frame: "av.VideoFrame | None") -> "list[av.Packet[av.VideoStream]]":
        assert self._stream is not None
        with self._writing():
            return self._stream.encode(frame)

    def _last_packets(self) -> "list[av.Packet[av.VideoStream]]":
        packets = self._encoded(None)
        if packets:
            packets[-1].duration = round(self._shown_s() * TICKS_A_SECOND)
        return packets

    def _shown_s(self) -> float:
        """For how long the last frame is shown: as long as the one before."""
        return self._step_s or ONLY_FRAME_S

    def _mux(self, packets: "list[av.Packet[av.VideoStream]]", sound_until_s: float | None) -> None:
        with self._writing():
            if self._sound is not None:
                for sound in self._sound.until(sound_until_s):
                    self._container.mux(sound)
            self._container.mux(packets)
            self._file.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        import av

        try:
            yield
        except (OSError, av.FFmpegError) as error:
            self._is_broken = True
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"{self.path}: can't be written to ({reason})") from error

    def _put_in_place(self) -> None:
        """Close everything, cut off what is no whole fragment, and give the file its name."""
        import av

        for part in (self._container, self._file):
            with suppress(OSError, av.FFmpegError):
                part.close()
        if self._sound is not None:
            self._sound.close()
        with self._part.open("r+b") as file:
            file.truncate(whole_boxes(file))
            os.fsync(file.fileno())
        if self._part.stat().st_size:
            self._part.replace(self.path)
        else:
            self._part.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_reason: object) -> None:
        self.close(sound_to_its_end=kind is None)


def check_video_path(path: Path) -> None:
    """Raise ConfigError if no video of that name can be written."""
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"{path}: a video's name ends in .mp4")
    if find_spec("av") is None:
        raise ConfigError("videos need PyAV, which is not installed: pip install 'mien[video]'")


def fitted(image: Image, width: int, height: int) -> Image:
    """An image (H, W, 3) in a size of even numbers.

    What lacks a row or a column gets its last one twice; what is of quite another size is scaled
    and laid on black.
    """
    here_height, here_width = image.shape[:2]
    down, across = height - here_height, width - here_width
    if down in (0, 1) and across in (0, 1):
        padded = cv2.copyMakeBorder(image, 0, down, 0, across, cv2.BORDER_REPLICATE)
        return np.asarray(padded, dtype=np.uint8)
    scale = min(width / here_width, height / here_height)
    size = max(1, round(scale * here_width)), max(1, round(scale * here_height))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    framed = np.zeros((height, width, 3), dtype=np.uint8)
    framed[top : top + size[1], left : left + size[0]] = small
    return framed


def whole_boxes(file: BinaryIO) -> int:
    """Where the last whole fragment of an MP4 file ends."""
    size = file.seek(0, 2)
    place = whole = 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(8)
        place += int.from_bytes(head[:4], "big")
        if place > size:
            break
        if head[4:] in (b"mdat", b"mfra"):  # the end of a fragment, and of the file
            whole = place
    return whole
