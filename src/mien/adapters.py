"""Results in the shapes of other packages, for code that was written for them.

They take results of `run` and `stream`, whose faces have a box. Those packages know seven
emotions: where a model tells contempt too, it is left out and the rest is scaled up to the whole.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mien.results import FaceResult
from mien.streaming import StreamFrame

#: Their names of the emotions, by ours.
SHORT_NAMES = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}


def as_fer(faces: Iterable[FaceResult]) -> list[dict[str, Any]]:
    """As `fer.FER().detect_emotions(frame)`: box and probabilities of each face."""
    return [{"box": list(face["box"]), "emotions": _seven(face)} for face in faces]


def as_deepface(faces: Iterable[FaceResult]) -> list[dict[str, Any]]:
    """As `DeepFace.analyze(frame, actions=["emotion"])`: emotions in percent."""
    return [_deepface(face) for face in faces]


def as_pyfeat(frames: Iterable[StreamFrame]) -> list[dict[str, Any]]:
    """As the rows of py-feat's tables (`Fex`): one a face, with py-feat's columns.

    `pandas.DataFrame(as_pyfeat(frames))` makes the table.
    """
    return [_pyfeat(frame, face) for frame in frames for face in frame.faces]


def _seven(face: FaceResult, names: dict[str, str] = SHORT_NAMES) -> dict[str, float]:
    known = {ours: face["emotions"].get(ours, 0.0) for ours in names}
    whole = sum(known.values()) or 1.0
    return {names[ours]: value / whole for ours, value in known.items()}


def _deepface(face: FaceResult) -> dict[str, Any]:
    percent = {name: 100 * value for name, value in _seven(face).items()}
    return {
        "emotion": percent,
        "dominant_emotion": max(percent, key=lambda name: percent[name]),
        "region": _named(face["box"], ("x", "y", "w", "h")),
        "face_confidence": face.get("face_confidence"),
    }


def _pyfeat(frame: StreamFrame, face: FaceResult) -> dict[str, Any]:
    return {
        **_named(face["box"], ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")),
        "FaceScore": face.get("face_confidence"),
        **_seven(face, {ours: ours for ours in SHORT_NAMES}),
        "frame": frame.number,
        "approx_time": frame.time_s,
    }


def _named(values: Sequence[int], names: Sequence[str]) -> dict[str, int]:
    return dict(zip(names, values, strict=True))
