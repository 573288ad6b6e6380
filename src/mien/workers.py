"""Threads that compute ahead.

Those of `concurrent.futures` take no more work once the main thread has ended, though other
threads of the program go on, and no program ends before them, whatever they wait for.
"""

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

Given = TypeVarTuple("Given")
Result = TypeVar("Result")

#: What is waited for in vain is left to itself after so many seconds.
CLOSING_S = 2.0


class Workers:
    """So many threads, which begin with what was submitted first."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name="mien worker", daemon=True)
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)  # inside a network a thread must not outlive the interpreter

    def submit(self, work: Callable[[*Given], Result], *given: *Given) -> Future[Result]:
        """Compute `work(*given)`."""
        future: Future[Result] = Future()
        self._jobs.put((future, lambda: work(*given)))
        return future

    def close(self) -> None:
        """Cancel what has not begun, and wait `CLOSING_S` at most for what has."""
        atexit.unregister(self.close)
        end_s = time.monotonic() + CLOSING_S
        with suppress(Empty):
            while (job := self._jobs.get_nowait()) is not None:
                job[0].cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end_s - time.monotonic()))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            _complete(*job)


def _complete(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # raised where the result is asked for
        future.set_exception(error)
    else:
        future.set_result(result)
