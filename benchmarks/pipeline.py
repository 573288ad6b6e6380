"""Where the time of a frame goes: the two networks, and everything around them.

Frames of 640x480 with one face and with five go through `run`; the stages and the bare networks
are timed in turns with it, on the same inputs and threads. The share of the pipeline itself is
the time of `run` over the sum of the two networks' own.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import as_file, files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import EmotionRecognition
from mien.classification import classify
from mien.images import read_image, to_rgb
from mien.model_file import open_model

Image = NDArray[np.uint8]

ROUNDS = 50
FRAME_SIZE = (640, 480)
#: Where a crop of 200x200 with a face is laid for five faces.
PLACES = ((0, 0), (210, 0), (420, 0), (100, 230), (320, 230))
BATCHES = (1, 4, 16, 64)


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
        for name, frame in frames().items():
            print(f"{threads} thread(s), 640x480 with {name}:")
            print_stages(stages(frame, threads))
        model = open_model(threads=threads)
        side = model.metadata.input_size
        for batch in BATCHES:
            faces = np.zeros((batch, side, side), dtype=np.uint8)
            network = partial(classify, model.session, faces)
            spent = medians({"network": network})["network"] / batch
            print(f"  network, batch of {batch:2}: {spent:6.2f} ms a face")


def frames() -> dict[str, Image]:
    """BGR pictures (480, 640, 3) with one face and with five."""
    with as_file(files("mien") / "assets" / "astronaut.jpg") as path:
        picture = np.ascontiguousarray(read_image(path)[..., ::-1])
    one = np.asarray(cv2.resize(picture, FRAME_SIZE), dtype=np.uint8)
    crop = cv2.resize(picture[20:260, 100:340], (200, 200), interpolation=cv2.INTER_AREA)
    five = np.full_like(one, 128)
    for x, y in PLACES:
        five[y : y + 200, x : x + 200] = crop
    return {"one face": one, "five faces": five}


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
    """One stage a line, and the whole beside the two networks."""
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
