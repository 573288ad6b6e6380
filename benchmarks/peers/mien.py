"""mien, as it comes. Argument: the number of threads, 0 for one a core."""

import sys
from collections.abc import Sequence

from benchmarks.peers.worker import Image, serve
from mien import EmotionRecognition


class Mien:
    """EmotionRecognition."""

    def __init__(self, threads: int) -> None:
        self._recognition = EmotionRecognition(threads=threads)

    def run(self, frame: Image) -> int:
        """`run`."""
        return len(self._recognition.run(frame))

    def classify(self, faces: Image) -> Sequence[str]:
        """`run_on_faces`, which takes a cut as it is."""
        return [answer["emotion"] for answer in self._recognition.run_on_faces(faces[..., None])]


if __name__ == "__main__":
    serve("mien", lambda: Mien(int(sys.argv[1])))
