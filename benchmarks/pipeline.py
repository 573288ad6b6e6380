"""Where the time of a frame goes: the two networks, and everything around them."""

import statistics
import time
from collections.abc import Callable
from importlib.resources import as_file, files

import cv2
import numpy as np

from mien import EmotionRecognition
from mien.classification import classify
from mien.images import read_image
from mien.model_file import open_model

ROUNDS = 50
FRAME_SIZE = (640, 480)
BATCHES = (1, 4, 16, 64)


def milliseconds(work: Callable[[], object]) -> float:
    """The median time of one call."""
    work()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main() -> None:
    """Print the times on the packaged picture, by number of threads."""
    with as_file(files("mien") / "assets" / "astronaut.jpg") as path:
        frame = cv2.resize(read_image(path), FRAME_SIZE)
    for threads in (1, 2):
        recognition = EmotionRecognition(threads=threads)
        model = open_model(threads=threads)
        whole = milliseconds(lambda er=recognition: er.run(frame, color="RGB"))  # type: ignore[misc]
        print(f"{threads} thread(s): one frame of 640x480 with a face {whole:6.2f} ms")
        for batch in BATCHES:
            side = model.metadata.input_size
            faces = np.zeros((batch, side, side), dtype=np.uint8)
            spent = milliseconds(lambda f=faces, m=model: classify(m.session, f))  # type: ignore[misc]
            print(f"  network, batch of {batch:2}: {spent / batch:6.2f} ms a face")


if __name__ == "__main__":
    main()
