"""A source that is read ahead, in a thread of its own."""

import atexit
import threading
from collections import deque
from collections.abc import Iterator
from typing import Self

from mien.images import check_rgb
from mien.sources import Source, TimedFrame
from mien.workers import CLOSING_S

#: Whoever waits for a frame wakes so often: on Windows, Ctrl-C does not wake them before
#: Python 3.14.
WAKING_S = 0.2
#: Frames that are decoded before they are asked for.
DECODED_AHEAD = 4
#: What frames may take in memory that are decoded, looked at, or classified, each.
MOST_BYTES = 200_000_000


class Decoder:
    """Reads a source in a thread of its own, a few frames ahead.

    Of a live source only the newest frame is kept. The thread closes the source.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ready: deque[TimedFrame] = deque()
        self._change = threading.Condition()
        self._error: BaseException | None = None
        self._is_done = self._is_closed = False
        self._thread = threading.Thread(target=self._read, name="mien decoder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        atexit.register(self._close)  # inside a decoder a thread must not outlive the interpreter
        return self

    def __exit__(self, *_reason: object) -> None:
        atexit.unregister(self._close)
        self._close()

    def _close(self) -> None:
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        self._thread.join(CLOSING_S)

    def _read(self) -> None:
        try:
            with self._source:
                for frame in self._source:
                    check_rgb(frame.image_rgb)  # a source may be a caller's own
                    if not self._take(frame):
                        return
        except BaseException as error:  # raised again once the frames before it are done
            self._error = error
        with self._change:
            self._is_done = True
            self._change.notify_all()

    def _take(self, frame: TimedFrame) -> bool:
        with self._change:
            if self._source.is_live:
                self._ready.clear()
            room = room_for(DECODED_AHEAD, frame)
            self._change.wait_for(lambda: self._is_closed or len(self._ready) < room)
            self._ready.append(frame)
            self._change.notify_all()
            return not self._is_closed

    def frames(self) -> Iterator[TimedFrame]:
        """The frames that could be read."""
        while True:
            with self._change:
                while not (self._ready or self._is_done):
                    self._change.wait(WAKING_S)
                if not self._ready:
                    return
                frame = self._ready.popleft()
                self._change.notify_all()
            yield frame

    def raise_error(self) -> None:
        """Raise what ended the source before its time, if anything did."""
        if self._error is not None:
            raise self._error


def room_for(most: int, frame: TimedFrame) -> int:
    """How many frames of a size may wait: so many, or less where they are large."""
    return min(most, max(1, MOST_BYTES // frame.image_rgb.nbytes))
