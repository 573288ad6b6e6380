"""From many pictures to many faces: found, cut and written, in several processes."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.alignment import CANONICAL_LANDMARKS, around, cut, face_transform, whole
from mien.datasets.faces import write_face
from mien.detection import RetinaFace
from mien.errors import ConfigError, DataError, ImageError
from mien.files import ignore_oddities
from mien.images import read_image
from mien.results import DetectedFace

#: Sides that prepared faces may have, in pixels.
LEAST_SIZE, LARGEST_SIZE = 16, 1024

#: Pictures that are handed to a process at once.
CHUNK = 16
#: Windows waits for no more at once.
MOST_ON_WINDOWS = 61

Verdict = Literal["taken", "no face", "several faces", "damaged"]


class Job(NamedTuple):
    """A picture, and where the face on it goes."""

    source: Path
    target: Path


class Outcome(NamedTuple):
    """What came of a picture, and of a damaged one the reason."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Cut:
    """How faces are cut.

    Attributes:
        size: the side of the square that a face becomes, in pixels.
        cropped: the pictures show one face each, already cut out: they are only scaled.
        several: what happens to pictures of several faces: "skip" them, or take the "largest". One
            whose centre lies in the largest counts as a part of it.

    Raises:
        ConfigError: a value is out of range.
    """

    size: int = 112
    cropped: bool = False
    several: Literal["skip", "largest"] = "skip"

    def __post_init__(self) -> None:
        if not LEAST_SIZE <= self.size <= LARGEST_SIZE:
            raise ConfigError(f"size is {self.size}, expected {LEAST_SIZE} to {LARGEST_SIZE}")
        if self.several not in ("skip", "largest"):
            raise ConfigError(f"several is {self.several!r}, expected 'skip' or 'largest'")
        if self.cropped and self.several != "skip":
            raise ConfigError("cropped pictures are not searched for faces: leave out 'several'")


class Cutter:
    """Takes the face from a picture."""

    def __init__(self, how: Cut) -> None:
        self._how = how
        # One thread: the same faces to the last bit, however many processes there are.
        self._detector = None if how.cropped else RetinaFace(threads=1)

    def __call__(self, job: Job) -> Outcome:
        """Write the face of a picture, unless it is there already."""
        if job.target.exists():
            return Outcome("taken")
        if job.source.is_fifo():  # to open it would be to wait for ever
            return Outcome("damaged", "a pipe, expected a picture")
        try:
            picture = read_image(job.source)
        except ImageError as error:
            reason = str(error).removeprefix(f"{job.source}: ")
            return Outcome("damaged", reason.replace(str(job.source), job.source.name))
        if self._detector is None:
            face = whole(picture, self._how.size)
        else:
            found = self._detector.detect(picture)
            if not found:
                return Outcome("no face")
            largest = max(found, key=_area)
            if self._how.several == "skip" and not all(_is_part(one, largest) for one in found):
                return Outcome("several faces")
            face = self._canonical(picture, largest)
        write_face(job.target, face)
        return Outcome("taken")

    def _canonical(self, picture: NDArray[np.uint8], face: DetectedFace) -> NDArray[np.uint8]:
        transform = face_transform(face.box, face.landmarks, CANONICAL_LANDMARKS, self._how.size)
        return cut(*around(picture, transform, self._how.size), self._how.size)


def cut_faces(
    how: Cut,
    jobs: Sequence[Job],
    processes: int,
    on_step: Callable[[int, int, str], None] | None = None,
) -> list[Outcome]:
    """What came of every picture, in the order of the jobs.

    Args:
        how: how faces are cut.
        jobs: no two with the same target.
        processes: how many work at once.
        on_step: called with the pictures done, the pictures there are, and what they are.

    Raises:
        ConfigError: the number of processes is below 1.
        DataError: a process was ended from outside.
    """
    check_processes(processes)
    for folder in {job.target.parent for job in jobs}:
        folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    with _outcomes(how, jobs, processes) as results:
        for outcome in results:
            outcomes.append(outcome)
            if on_step is not None:
                on_step(len(outcomes), len(jobs), "pictures done")
    return outcomes


def check_processes(processes: int) -> None:
    """Raise ConfigError unless that many can work."""
    if processes < 1:
        raise ConfigError(f"processes is {processes}, expected 1 or more")


@contextmanager
def _outcomes(how: Cut, jobs: Sequence[Job], processes: int) -> Iterator[Iterable[Outcome]]:
    """Outcomes as they come; leaving early ends the processes."""
    if processes == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # as in several: the pictures are small
        try:
            yield map(Cutter(how), jobs)
        finally:
            cv2.setNumThreads(threads)
        return
    if sys.platform == "win32":
        processes = min(processes, MOST_ON_WINDOWS)
    executor = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _start_process, (how,)
    )
    try:
        yield executor.map(_cut_in_process, jobs, chunksize=CHUNK)
    except BrokenProcessPool as error:
        raise DataError(
            "a process that cuts faces was ended from outside (too little memory?); "
            "the same command goes on where it stopped"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


_cutter: Cutter


def _start_process(how: Cut) -> None:
    global _cutter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to handle
    Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    ignore_oddities()
    _cutter = Cutter(how)


def _cut_in_process(job: Job) -> Outcome:
    return _cutter(job)


def _end_with_parent() -> None:
    """A killed parent would leave its processes waiting for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _area(face: DetectedFace) -> float:
    return face.box[2] * face.box[3]


def _is_part(face: DetectedFace, larger: DetectedFace) -> bool:
    """Whether it is the larger face, or a part of it that was taken for a face of its own."""
    x, y, width, height = face.box
    left, top, larger_width, larger_height = larger.box
    across, down = x + width / 2 - left, y + height / 2 - top
    return 0 <= across <= larger_width and 0 <= down <= larger_height
