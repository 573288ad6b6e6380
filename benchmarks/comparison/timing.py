"""The contestants on the same frames, in turns."""

import logging
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.comparison.contestants import Contestant
from benchmarks.comparison.figures import FrameTime
from benchmarks.comparison.frames import FIVE_FACES, FRAMES, ONE_FACE
from benchmarks.comparison.processes import Process

#: Everybody's turn comes so often, and is so many calls long.
ROUNDS = 10
CALLS = {ONE_FACE: 10, FIVE_FACES: 4}

Peaks = dict[Contestant, float | None]

log = logging.getLogger(__name__)


def write_frames(folder: Path) -> dict[str, Path]:
    """The frames as files that all contestants read."""
    paths = {}
    for name, frame in FRAMES.items():
        paths[name] = folder / f"{name}.npy"
        np.save(paths[name], frame.make())
    return paths


def time_frames(
    running: dict[Contestant, Process], frames: dict[str, Path]
) -> tuple[list[FrameTime], Peaks]:
    """The times on every frame, and the peak of the memory up to the end of the first."""
    times: list[FrameTime] = []
    peaks: Peaks = {}
    for frame, path in frames.items():
        taken: dict[Contestant, list[float]] = {one: [] for one in running}
        found = {one: process.ask_time(path, calls=1)["faces"] for one, process in running.items()}
        for turn in range(ROUNDS):
            log.info("%s, round %d of %d", frame, turn + 1, ROUNDS)
            for contestant, process in running.items():
                answer = process.ask_time(path, CALLS[frame])
                taken[contestant] += answer["milliseconds"]
                if frame == ONE_FACE:
                    peaks[contestant] = answer["peak_mib"]
        times += [
            FrameTime(one.name, frame, median(values), found[one], FRAMES[frame].faces)
            for one, values in taken.items()
        ]
    return times, peaks
