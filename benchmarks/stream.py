"""How fast a stream is, by `detect_every`, and against its stages alone.

The stages are decoding, detection and classification (with the cut), each over all frames of a
file, one after the other. The limit is the slowest stage alone, or the processor's seconds of all
stages shared by the cores. A stream may stay below it: it looks at several frames side by side with
networks of one thread, which take less of the processor than those of several.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mien import EmotionRecognition
from mien.recognition import _Analyst
from mien.results import DetectedFace
from mien.sessions import usable_cores
from mien.sources import TimedFrame, open_source

DETECT_EVERY = (1, 2, 5, 10)


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock, and of the processor in all threads."""

    wall_s: float
    processor_s: float


def spent(work: Callable[[], object]) -> Spent:
    """What some work takes."""
    wall_s, processor_s = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall_s, time.process_time() - processor_s)


def stages(recognition: EmotionRecognition, path: Path) -> dict[str, Spent]:
    """Every stage alone, over all frames of a file."""
    analyst = _Analyst(recognition)
    frames: list[TimedFrame] = []
    times = {"decoding": spent(lambda: frames.extend(open_source(path)))}
    found: list[list[DetectedFace]] = []

    def detect() -> None:
        found.extend(recognition._detector.detect(frame.image_rgb) for frame in frames)

    def classify() -> None:
        for frame, faces in zip(frames, found, strict=True):
            analyst.classify([analyst.cut(frame.image_rgb, faces)])

    times["detection"] = spent(detect)
    times["classification"] = spent(classify)
    return times


def read_through(recognition: EmotionRecognition, path: Path, detect_every: int) -> int:
    """The number of frames of a stream."""
    return sum(1 for _ in recognition.stream(path, detect_every=detect_every))


def main() -> None:
    """Print the stages, the stream and its limit, and frames a second by `detect_every`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="a video file")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    cores = usable_cores()
    recognition = EmotionRecognition(threads=arguments.threads)
    count = read_through(recognition, arguments.path, 1)  # warms up
    print(f"{arguments.path.name}: {count} frames; {cores} cores, threads={arguments.threads}")
    alone = stages(recognition, arguments.path)
    for name, one in alone.items():
        print(f"  {name:15} {one.wall_s:6.2f} s, processor {one.processor_s:6.2f} s")
    shared_s = sum(one.processor_s for one in alone.values()) / cores
    limit_s = max(shared_s, *(one.wall_s for one in alone.values()))
    first_s = 0.0
    for detect_every in DETECT_EVERY:
        one = spent(partial(read_through, recognition, arguments.path, detect_every))
        first_s = first_s or one.wall_s
        print(
            f"  detect_every={detect_every:<2} {one.wall_s:6.2f} s, processor "
            f"{one.processor_s:6.2f} s: {count / one.wall_s:6.1f} frames a second, "
            f"{first_s / one.wall_s:.2f} times as fast as with every frame"
        )
    print(f"  every frame over the limit of {limit_s:.2f} s: {first_s / limit_s:.3f}")


if __name__ == "__main__":
    main()
