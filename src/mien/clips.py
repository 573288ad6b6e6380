"""Several videos, one after the other or in several processes.

Each process is told its videos, and tells its news, by a pipe of its own: what happens to one does
not hold up the others, and none outlives the process that began it.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from mien.clip import ClipJob, ClipSummary, analyse_clip
from mien.errors import MienError
from mien.files import ignore_oddities
from mien.interruption import SIGNALS
from mien.recognition import EmotionRecognition
from mien.sessions import usable_cores

#: How long news of the processes are waited for before a wish to stop is looked for.
PATIENCE_S = 0.2

#: What came of a video: an error if it could not be read or written, None if it was not begun.
Outcome = ClipSummary | MienError | OSError | None
OnFrame = Callable[[int, int], None]


def analyse_clips(
    jobs: Sequence[ClipJob],
    settings: dict[str, Any],
    on_frame: OnFrame,
    stopped: Callable[[], bool],
    processes: int = 1,
) -> list[Outcome]:
    """Analyse videos; one that fails does not keep the others from being done.

    Args:
        jobs: the videos, and the files to write.
        settings: keywords for `EmotionRecognition`.
        on_frame: called after every frame with the job's place and its number of frames done.
        stopped: asked before every frame; what was begun is finished then, nothing new is begun.
        processes: how many videos are analysed at the same time.

    Returns:
        One outcome per job.

    Raises:
        MienError: a setting can't be taken.
    """
    recognition = EmotionRecognition(**settings)  # what it refuses is refused once, and here
    processes = min(processes, len(jobs))
    if processes > 1:
        threads = settings.get("threads") or max(1, usable_cores() // processes)
        crew = _Crew(jobs, settings | {"threads": threads}, processes)
        return crew.outcomes_of_all(on_frame, stopped)
    outcomes: list[Outcome] = [None] * len(jobs)
    for place, job in enumerate(jobs):
        if not stopped():
            outcomes[place] = _outcome(recognition, job, partial(on_frame, place), stopped)
    return outcomes


def _outcome(
    recognition: EmotionRecognition,
    job: ClipJob,
    on_frame: Callable[[int], None],
    stopped: Callable[[], bool],
) -> Outcome:
    try:
        return analyse_clip(recognition, job, on_frame, stopped)
    except (MienError, OSError) as error:
        return error


class _Crew:
    """Processes at work on videos."""

    def __init__(self, jobs: Sequence[ClipJob], settings: dict[str, Any], processes: int) -> None:
        self._jobs, self._waiting = jobs, deque(range(len(jobs)))
        self._settings = settings
        self._outcomes: list[Outcome] = [None] * len(jobs)
        self._at_work: dict[_Worker, int] = {}  # the place of the video that each is at
        self._hire(processes)

    def _hire(self, processes: int) -> None:
        with _signals_held_back():
            hired = [_hired(self._settings) for _ in range(processes)]
        for worker in hired:
            self._give_next(worker)

    def outcomes_of_all(self, on_frame: OnFrame, stopped: Callable[[], bool]) -> list[Outcome]:
        """Wait until all is done."""
        is_stopping = False
        try:
            while self._at_work:
                if stopped() and not is_stopping:
                    is_stopping = True
                    self._stop()
                for worker in self._with_news():
                    self._take_news(worker, on_frame)
        finally:
            for worker in self._at_work:
                worker.connection.close()
        return self._outcomes

    def _with_news(self) -> list["_Worker"]:
        """Those who have sent something or ended; on Windows, the end of one alone tells that."""
        signs = {one: (one.connection, one.process.sentinel) for one in self._at_work}
        ready = wait([sign for each in signs.values() for sign in each], PATIENCE_S)
        return [one for one, each in signs.items() if not set(each).isdisjoint(ready)]

    def _take_news(self, worker: "_Worker", on_frame: OnFrame) -> None:
        place = self._at_work[worker]
        try:
            news = worker.news()
        except (EOFError, OSError):
            reason = "a process ended before its time; is there too little memory?"
            news = MienError(f"{self._jobs[place].source}: is not finished: {reason}")
            del self._at_work[worker]
            worker.connection.close()
            if self._waiting:
                self._hire(1)  # in its place; each that ends so has used up a video
        if isinstance(news, int):
            on_frame(place, news)
            return
        self._outcomes[place] = news
        if worker in self._at_work:
            self._give_next(worker)

    def _give_next(self, worker: "_Worker") -> None:
        if self._waiting:
            self._at_work[worker] = place = self._waiting.popleft()
            worker.tell(self._jobs[place])
        else:
            self._at_work.pop(worker, None)
            worker.connection.close()

    def _stop(self) -> None:
        self._waiting.clear()
        for worker in self._at_work:
            worker.tell(None)


class _Worker(NamedTuple):
    """A process, and the pipe to it."""

    process: BaseProcess
    connection: Connection

    def tell(self, job: ClipJob | None) -> None:
        """Give it a video, or None to stop."""
        with suppress(OSError):  # it has ended, which is noticed where its news are waited for
            self.connection.send(job)

    def news(self) -> Any:
        """What it has sent; raises EOFError or OSError if it has ended without a word."""
        if not self.connection.poll():
            raise EOFError
        return self.connection.recv()


def _hired(settings: dict[str, Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, settings))
    process.start()
    theirs.close()  # so that its end is noticed
    return _Worker(process, ours)


def _work(connection: Connection, settings: dict[str, Any]) -> None:
    """Analyse the videos that come through a pipe; whatever else comes, or its end, is to stop."""
    for number in SIGNALS:  # they are for the process that began this one
        signal.signal(number, signal.SIG_IGN)
    ignore_oddities()
    recognition = EmotionRecognition(**settings)
    with suppress(EOFError, OSError):
        while job := connection.recv():
            connection.send(_outcome(recognition, job, connection.send, connection.poll))


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Inside, signals wait, and so they do in processes that begin, until those ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its beginning lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
