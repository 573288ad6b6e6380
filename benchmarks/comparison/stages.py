"""Where mien's time goes: on a frame, by stages."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any
from unittest.mock import patch

from benchmarks.comparison.figures import StageTimes
from benchmarks.comparison.frames import FRAMES, Image
from mien import EmotionRecognition, recognition
from mien.classification import classify

ROUNDS = 50

log = logging.getLogger(__name__)


def stage_times(threads: int, rounds: int = ROUNDS) -> list[StageTimes]:
    """The stages of every frame."""
    log.info("mien by stages, %d thread(s)", threads)
    er = EmotionRecognition(threads=threads)
    return [_of_frame(er, threads, name, frame.make(), rounds) for name, frame in FRAMES.items()]


def _of_frame(
    er: EmotionRecognition, threads: int, name: str, frame: Image, rounds: int
) -> StageTimes:
    """Medians over rounds, after one that is not counted."""
    times = [_one_run(er, frame) for _ in range(rounds + 1)][1:]
    middle = {stage: 1000 * median(one[stage] for one in times) for stage in times[0]}
    return StageTimes(threads, name, **middle)


def _one_run(er: EmotionRecognition, frame: Image) -> dict[str, float]:
    """Seconds of each stage of one call of `run`."""
    spent: dict[str, float] = defaultdict(float)

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            result = function(*arguments)
            spent[stage] += time.perf_counter() - began
            return result

        return run

    detector = er._detector
    with (
        patch.object(detector, "detect", timed("detection", detector.detect)),
        patch.object(er, "_cuts", timed("alignment", er._cuts)),
        patch.object(recognition, "classify", timed("classification", classify)),
    ):
        began = time.perf_counter()
        er.run(frame)
        whole = time.perf_counter() - began
    return {**spent, "rest": whole - sum(spent.values())}
