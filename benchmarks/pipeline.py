"""Where the time of a frame goes: the two networks, and everything around them.

Frames of 640x480 with one face and with five go through `run`; the stages and the bare networks
are timed in turns with it, on the same inputs and threads. The share of the pipeline itself is
the time of `run` over the sum of the two networks' own.
Usage: python -m benchmarks.pipeline
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.comparison.frames import FRAMES, Image
from benchmarks.comparison.throughput import throughputs
from mien import EmotionRecognition
from mien.images import to_rgb

ROUNDS = 50


class Listening:
    """A session that keeps what it is given: a look at the whole frame, and closer ones."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.given: list[tuple[Any, ...]] = []

    def run(self, *given: Any) -> Any:
        """As the session does."""
        self.given.append(given)
        return self.session.run(*given)

    def again(self) -> None:
        """The bare network on the same inputs."""
        for given in self.given:
            self.session.run(*given)


def main() -> None:
    """Print the times by number of threads."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    for threads in (1, 2):
        for name, frame in FRAMES.items():
            print(f"{threads} thread(s), 640x480 with {name}:")
            print_stages(stages(frame.make(), threads))
        for one in throughputs(threads):
            spent = 1000 / one.faces_a_second
            print(f"  network, batch of {one.batch:2}: {spent:6.2f} ms a face")


def stages(frame: Image, threads: int) -> dict[str, float]:
    """Medians in milliseconds: `run`, its stages, and the bare networks in it."""
    recognition: Any = EmotionRecognition(threads=threads)
    detector = recognition._detector
    finding = detector._session = Listening(detector._session)
    frame_rgb = to_rgb(frame)
    faces = detector.detect(frame_rgb)
    cuts = recognition._cuts(frame_rgb, faces)
    session = recognition._model.session
    cuts_given = (["logits", "embedding"], {"faces": np.stack(cuts)})
    detector._session = finding.session
    return medians(
        {
            "run": lambda: recognition.run(frame),
            "detection's network": finding.again,
            "classification's network": lambda: session.run(*cuts_given),
            "check and convert": lambda: to_rgb(frame),
            "detection": lambda: detector.detect(frame_rgb),
            "alignment": lambda: recognition._cuts(frame_rgb, faces),
            "classification": lambda: recognition._answers(cuts),
        }
    )


def print_stages(times: dict[str, float]) -> None:
    """One stage per line, and the whole beside the two networks."""
    networks = times["detection's network"] + times["classification's network"]
    rows = {
        "check and convert": times["check and convert"],
        "detection: network": times["detection's network"],
        "detection: the rest": times["detection"] - times["detection's network"],
        "alignment": times["alignment"],
        "classification: network": times["classification's network"],
        "classification: the rest": times["classification"] - times["classification's network"],
        "run, all of it": times["run"],
    }
    for name, spent in rows.items():
        print(f"  {name:25} {spent:6.2f} ms")
    print(f"  run over the two networks {times['run'] / networks:6.3f}")


def medians(work: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median milliseconds of each, all taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(ROUNDS + 1):  # the first warms up
        for name, call in work.items():
            began = time.perf_counter()
            call()
            if turn > 0:
                times[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
