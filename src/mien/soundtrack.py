"""The sound of a file, on its way into another one."""

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import SourceError
from mien.sources.clock import MICROSECONDS
from mien.sources.container import open_container

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import OutputContainer

    SoundPacket = Packet[AudioStream]

#: Sound of these kinds is copied into MP4 as it is; other sound is encoded as AAC.
COPIED = frozenset({"aac", "ac3", "alac", "eac3", "mp3", "opus"})
#: MP4 has no MP3 of fewer samples a second.
LEAST_MP3_RATE = 16_000
#: Sound with a rate that AAC does not have is encoded with this one.
USUAL_RATE = 48_000


class SoundTrack:
    """The first sound track of a file, in packets for an MP4 container.

    A file without sound, or with sound that nobody can decode, gives no packets; what is damaged
    is left out.

    Args:
        path: the file.
        start_s: sound before is left out; it becomes the output's beginning.
        end_s: sound from here on is left out.

    Raises:
        SourceError: the file can't be read.
    """

    def __init__(self, path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> None:
        import av

        try:
            self._source = open_container(Path(path).absolute())
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror or error
            raise SourceError(f"{path}: its sound can't be read ({reason})") from error
        self._start_s, self._end_s = start_s, math.inf if end_s is None else end_s
        if self._source.duration:  # what a container says to leave out at its end is longer
            self._end_s = min(self._end_s, self._source.duration / MICROSECONDS)
        self._first_s = (self._source.start_time or 0) / MICROSECONDS
        self._packets: Iterator[SoundPacket] = iter(())
        self._next: SoundPacket | None = None
        self._last_s = -math.inf

    def add_to(self, output: "OutputContainer") -> None:
        """Add a stream for the sound to a container, before anything is written to it."""
        for track in [one for one in self._source.streams.audio if one.codec_context][:1]:
            if _can_be_copied(track):
                self._packets = self._copied(track, output.add_stream_from_template(track))
            else:
                rate = track.rate if track.rate in _aac_rates() else USUAL_RATE
                self._packets = self._encoded(track, output.add_stream("aac", rate=rate))

    def until(self, time_s: float | None) -> "Iterator[SoundPacket]":
        """The packets up to a time of the output; all that are left if there is none."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None or (time_s is not None and _time_s(self._next) > time_s):
                return
            packet, self._next = self._next, None
            if _time_s(packet) > self._last_s:  # a container takes no sound that goes back
                self._last_s = _time_s(packet)
                yield packet

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _copied(self, track: "AudioStream", stream: "AudioStream") -> "Iterator[SoundPacket]":
        import av

        # The AAC of MPEG-TS says in every packet what MP4 says once.
        name = "aac_adtstoasc" if _codec(track) == "aac" else "null"
        unframed = av.BitStreamFilterContext(name, track)
        for packet in self._read(track):
            with suppress(av.FFmpegError):  # of a damaged packet
                for copied in unframed.filter(packet):
                    if copied.pts is not None and self._is_past(copied):
                        return
                    if copied.pts is not None and self._is_wanted(copied):
                        copied.pts -= self._back(copied)
                        copied.dts, copied.stream = copied.pts, stream
                        yield copied

    def _encoded(self, track: "AudioStream", stream: "AudioStream") -> "Iterator[SoundPacket]":
        from av import AudioResampler

        resampler = AudioResampler("fltp", "stereo", stream.rate)
        kind: tuple[str, str, int] | None = None
        for frame in self._decoded(track):
            if frame.pts is not None and self._is_past(frame):
                break
            if frame.pts is not None and self._is_wanted(frame):
                frame.pts -= self._back(frame)
                last, kind = kind, (frame.format.name, frame.layout.name, frame.rate)
                if last not in (None, kind):  # a resampler takes sound of one kind
                    resampler = AudioResampler("fltp", "stereo", stream.rate)
                for resampled in resampler.resample(frame):
                    yield from stream.encode(resampled)
        yield from stream.encode(None)

    def _decoded(self, track: "AudioStream") -> "Iterator[AudioFrame]":
        import av

        for packet in self._read(track):
            with suppress(av.FFmpegError):
                yield from packet.decode()

    def _read(self, track: "AudioStream") -> "Iterator[SoundPacket]":
        import av

        if self._start_s > 0:
            # What can't be sought is read from its beginning.
            with suppress(av.FFmpegError, OverflowError):
                self._source.seek(int((self._start_s + self._first_s) * MICROSECONDS))
        with suppress(av.FFmpegError):
            yield from self._source.demux(track)

    def _is_wanted(self, part: "SoundPacket | AudioFrame") -> bool:
        time_s = _time_s(part) - self._first_s
        return self._start_s == 0 or time_s >= self._start_s  # sound may begin before 0

    def _is_past(self, part: "SoundPacket | AudioFrame") -> bool:
        return _time_s(part) - self._first_s >= self._end_s

    def _back(self, part: "SoundPacket | AudioFrame") -> int:
        """By how many of its ticks a part moves to the front."""
        assert part.time_base is not None
        return round((self._first_s + self._start_s) / part.time_base)


def _codec(track: "AudioStream") -> str:
    return track.codec_context.codec.canonical_name


def _can_be_copied(track: "AudioStream") -> bool:
    name = _codec(track)
    return name in COPIED and (name != "mp3" or track.rate >= LEAST_MP3_RATE)


def _aac_rates() -> list[int]:
    import av

    return av.Codec("aac", "w").audio_rates or []


def _time_s(part: "SoundPacket | AudioFrame") -> float:
    assert part.pts is not None
    assert part.time_base is not None
    return float(part.pts * part.time_base)
