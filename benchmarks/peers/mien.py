"""mien. Argument: the options of `EmotionRecognition` that are not its defaults, in JSON."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.worker import Image, serve
from mien import EmotionRecognition


class Mien:
    """EmotionRecognition."""

    def __init__(self, **options: Any) -> None:
        self._recognition = EmotionRecognition(**options)

    def run(self, frame: Image) -> int:
        """`run`."""
        return len(self._recognition.run(frame))

    def classify(self, faces: Image) -> Sequence[str]:
        """`run_on_faces`, which takes a cut as it is."""
        return [answer["emotion"] for answer in self._recognition.run_on_faces(faces[..., None])]


if __name__ == "__main__":
    serve("mien", lambda: Mien(**json.loads(sys.argv[1])))
