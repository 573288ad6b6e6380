"""Ctrl-C and SIGTERM as a wish to stop after the step under way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopWish:
    """Whether somebody asked to stop, and by which signal."""

    signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None


@contextmanager
def stopping_on_signals() -> Iterator[StopWish]:
    """Inside, signals do not break off what runs: they set the wish that is yielded."""
    wish = StopWish()

    def remember(number: int, _frame: FrameType | None) -> None:
        wish.signal_number = number

    before = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
