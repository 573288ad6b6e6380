"""How many faces mien's network classifies in a second, by batch and threads."""

import logging
import time
from statistics import median

import numpy as np

from benchmarks.comparison.figures import Throughput
from mien.classification import classify
from mien.model_file import open_model

BATCHES = (1, 4, 16, 64)
FACES = 512

log = logging.getLogger(__name__)


def throughputs(threads: int, faces: int = FACES) -> list[Throughput]:
    """Every size of batch, on as many faces each."""
    log.info("mien's classification, %d thread(s)", threads)
    model = open_model(threads=threads)
    side = model.metadata.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (max(BATCHES), side, side), np.uint8)
    found = []
    for batch in BATCHES:
        classify(model.session, pixels[:batch])
        seconds = []
        for _ in range(max(1, faces // batch)):
            began = time.perf_counter()
            classify(model.session, pixels[:batch])
            seconds.append(time.perf_counter() - began)
        found.append(Throughput(threads, batch, batch / median(seconds)))
    return found
