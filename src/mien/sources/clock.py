"""When the frames of a video are shown."""

from collections import deque
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

from mien.sources.source import FRAMES_PER_SECOND

if TYPE_CHECKING:
    import av

#: PyAV counts the times of containers in these parts of a second.
MICROSECONDS = 1_000_000
#: Times are differences of floats: so much nearer is the same.
CLOSE_S = 1e-6
#: It holds the times of decoding alone: frames are counted from its beginning.
COUNTING_FORMAT = "avi"
#: A video that ends sooner than its container says by no more than this, in seconds and as a share
#: of the whole, is complete: containers round, and the last frame may last.
LEAST_MISSING_S, MISSING_SHARE = 0.5, 0.01


class Clock:
    """When the frames of a video are shown, in seconds from its beginning.

    Attributes:
        first_s: when the first stream begins by the container's own times.
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
        """When the last frame that was read ends; None before the first."""
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
    with suppress(KeyError, ValueError, OverflowError):  # Matroska has it as a tag
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    if container.duration is None or len(container.streams) > 1:
        return None
    return ((container.start_time or 0) + container.duration) / MICROSECONDS
