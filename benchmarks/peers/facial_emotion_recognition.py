"""The package `facial-emotion-recognition`, as it comes but for the way its weights are read."""

from collections.abc import Sequence
from functools import partial

import torch
from facial_emotion_recognition import EmotionRecognition

from benchmarks.peers.worker import Image, serve


class Recording(EmotionRecognition):  # type: ignore[misc]
    """Keeps the emotions, which the package only draws."""

    def __init__(self) -> None:
        # The weights were saved on a GPU; without this they can't be read where there is none.
        torch.load = partial(torch.load, map_location="cpu", weights_only=True)
        super().__init__(device="cpu")
        self.seen: list[str] = []

    def _predict(self, image: Image) -> str:
        self.seen.append(super()._predict(image))
        return self.seen[-1]


class FacialEmotionRecognition:
    """EmotionRecognition of that package."""

    def __init__(self) -> None:
        self._recognition = Recording()

    def run(self, frame: Image) -> int:
        """`recognise_emotion`."""
        self._recognition.seen.clear()
        self._recognition.recognise_emotion(frame)
        return len(self._recognition.seen)

    def classify(self, faces: Image) -> Sequence[str]:
        """`_predict`, which `recognise_emotion` calls with the box cut out of the grey frame."""
        return [self._recognition._predict(face) for face in faces]


if __name__ == "__main__":
    serve("facial-emotion-recognition", FacialEmotionRecognition)
