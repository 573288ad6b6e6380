"""Ctrl-C and SIGTERM as a wish to stop after the step under way."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: A signal so much later than the first one breaks off; shells and `timeout` may send one twice.
PATIENCE_S = 1.0


class StopWish:
    """Whether somebody asked to stop, and by which signal."""

    signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None


@contextmanager
def stopping_on_signals() -> Iterator[StopWish]:
    """Inside, signals do not break off what runs: they set the wish that is yielded.

    One that comes a second or more after the first does what it would outside.
    """
    wish = StopWish()
    first_s = 0.0

    def remember(number: int, _frame: FrameType | None) -> None:
        nonlocal first_s
        if not wish:
            wish.signal_number, first_s = number, time.monotonic()
        elif time.monotonic() - first_s >= PATIENCE_S:
            signal.signal(number, before[number])
            signal.raise_signal(number)

    before: dict[int, Any] = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
