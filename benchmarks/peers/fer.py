"""The package `fer`, as it comes. Argument: its detector, "mtcnn" or "haar"."""

import sys
from collections.abc import Sequence

import numpy as np

if sys.argv[1:] == ["mtcnn"]:
    # Ahead of TensorFlow: when PyTorch comes second, two copies of LLVM clash and abort.
    import facenet_pytorch  # noqa: F401
from fer.fer import FER

from benchmarks.peers.worker import Image, serve


class Fer:
    """FER with its defaults: the TensorFlow Lite network, 10 pixels added around each box."""

    def __init__(self, detector: str) -> None:
        self._recognition = FER(mtcnn=detector == "mtcnn")

    def run(self, frame: Image) -> int:
        """`detect_emotions`."""
        return len(self._recognition.detect_emotions(frame))

    def classify(self, faces: Image) -> Sequence[str]:
        """`detect_emotions` with the whole cut as the rectangle, and nothing added around it."""
        recognition = FER(offsets=(0, 0))
        height, width = faces.shape[1:]
        whole = [(0, 0, width, height)]
        names = []
        for face in faces:
            (found,) = recognition.detect_emotions(np.dstack([face] * 3), whole)
            names.append(max(found["emotions"], key=found["emotions"].__getitem__))
        return names


if __name__ == "__main__":
    serve("fer", lambda: Fer(sys.argv[1]))
