"""Several videos, one after the other or in several processes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import Empty
from typing import Any

from mien.clip import ClipJob, ClipSummary, analyse_clip
from mien.errors import MienError
from mien.recognition import EmotionRecognition

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
        One outcome a job.

    Raises:
        MienError: a setting can't be taken.
    """
    processes = min(processes, len(jobs))
    if processes > 1:
        return _in_processes(jobs, settings, on_frame, stopped, processes)
    recognition = EmotionRecognition(**settings)
    return [
        None if stopped() else _outcome(recognition, place, job, on_frame, stopped)
        for place, job in enumerate(jobs)
    ]


def _outcome(
    recognition: EmotionRecognition,
    place: int,
    job: ClipJob,
    on_frame: OnFrame,
    stopped: Callable[[], bool],
) -> Outcome:
    try:
        return analyse_clip(recognition, job, lambda frames: on_frame(place, frames), stopped)
    except (MienError, OSError) as error:
        return error


def _in_processes(
    jobs: Sequence[ClipJob],
    settings: dict[str, Any],
    on_frame: OnFrame,
    stopped: Callable[[], bool],
    processes: int,
) -> list[Outcome]:
    EmotionRecognition(**settings)  # what it refuses is refused once, and here
    threads = max(1, (os.cpu_count() or 1) // processes)
    context = multiprocessing.get_context("spawn")
    news, stop = context.Queue(), context.Event()
    arguments = (settings | {"threads": threads}, news, stop)
    with ProcessPoolExecutor(processes, context, _Worker.begin, arguments) as pool:
        futures = [pool.submit(_Worker.work, place, job) for place, job in enumerate(jobs)]
        while True:
            if stopped() and not stop.is_set():
                stop.set()
                for future in futures:
                    future.cancel()
            are_done = all(future.done() for future in futures)
            try:
                on_frame(*news.get(timeout=PATIENCE_S))
            except Empty:  # a process does not end before its news are taken
                if are_done:
                    break
    return [_result(job, future) for job, future in zip(jobs, futures, strict=True)]


def _result(job: ClipJob, future: "Future[Outcome]") -> Outcome:
    try:
        return future.result()
    except CancelledError:
        return None
    except BrokenProcessPool:
        reason = "a process ended before its time; is there too little memory?"
        return MienError(f"{job.source}: is not finished: {reason}")


class _Worker:
    """What a process keeps from one video to the next."""

    recognition: EmotionRecognition
    news: Any
    stop: Any

    @classmethod
    def begin(cls, settings: dict[str, Any], news: Any, stop: Any) -> None:
        """Make ready; the parent alone listens to signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        cls.recognition, cls.news, cls.stop = EmotionRecognition(**settings), news, stop

    @classmethod
    def work(cls, place: int, job: ClipJob) -> Outcome:
        """Analyse one video."""
        return _outcome(
            cls.recognition, place, job, lambda *done: cls.news.put(done), cls.stop.is_set
        )
