"""Results in the shapes of other packages, for code that was written for them.

They take results of `run` and `stream`, whose faces have a box. Those packages know seven
emotions: where a model tells others too, such as contempt, they are left out and the rest is scaled
up to the whole.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from mien.errors import ConfigError
from mien.results import FaceResult, check_boxes
from mien.streaming import StreamFrame

Given = TypeVar("Given")

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
    """As `fer.FER().detect_emotions(frame)`: box and probabilities of each face.

    Raises:
        ConfigError: a face has no box, or none of those emotions.
    """
    return [{"box": list(face["box"]), "emotions": _seven(face)} for face in _with_boxes(faces)]


def as_deepface(faces: Iterable[FaceResult]) -> list[dict[str, Any]]:
    """As `DeepFace.analyze(frame, actions=["emotion"])`: emotions in percent.

    Raises:
        ConfigError: a face has no box, or none of those emotions.
    """
    return [_deepface(face) for face in _with_boxes(faces)]


def as_pyfeat(frames: Iterable[StreamFrame]) -> list[dict[str, Any]]:
    """As the rows of py-feat's tables (`Fex`): one per face, with py-feat's columns.

    `pandas.DataFrame(as_pyfeat(frames))` makes the table.

    Raises:
        ConfigError: what came are no frames of `stream`, or a face has none of those emotions.
    """
    rows = []
    for frame in _several(frames):
        if not isinstance(frame, StreamFrame):
            raise ConfigError(f"a {type(frame).__name__} came, expected frames of 'stream'")
        rows += [_pyfeat(frame, face) for face in frame.faces]
    return rows


def _several(given: Iterable[Given]) -> list[Given]:
    if not isinstance(given, Iterable):
        raise ConfigError(f"a {type(given).__name__} came, expected a list")
    return list(given)


def _with_boxes(faces: Iterable[FaceResult]) -> list[FaceResult]:
    given = _several(faces)
    check_boxes(given)
    return given


def _seven(face: FaceResult, names: dict[str, str] = SHORT_NAMES) -> dict[str, float]:
    emotions = face["emotions"]
    if names.keys().isdisjoint(emotions):
        raise ConfigError(
            f"the model's emotions are {', '.join(emotions)}, expected some of {', '.join(names)}"
        )
    known = {ours: emotions.get(ours, 0.0) for ours in names}
    whole = sum(known.values()) or 1.0
    return {names[ours]: value / whole for ours, value in known.items()}


def _deepface(face: FaceResult) -> dict[str, Any]:
    percent = {name: 100 * value for name, value in _seven(face).items()}
    return {
        "emotion": percent,
        "dominant_emotion": max(percent, key=lambda name: percent[name]),
        "region": {**_named(face["box"], ("x", "y", "w", "h")), **_eyes(face)},
        "face_confidence": face.get("face_confidence"),
    }


def _eyes(face: FaceResult) -> dict[str, tuple[int, int] | None]:
    """Where they are, the person's own left and right."""
    points = face.get("landmarks") or {}
    return {
        name: (round(points[name][0]), round(points[name][1])) if name in points else None
        for name in ("left_eye", "right_eye")
    }


def _pyfeat(frame: StreamFrame, face: FaceResult) -> dict[str, Any]:
    return {
        **_named(face["box"], ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")),
        "FaceScore": face.get("face_confidence"),
        **_seven(face, {ours: ours for ours in SHORT_NAMES}),
        "frame": frame.number,
        "approx_time": f"{int(frame.time_s) // 60:02}:{int(frame.time_s) % 60:02}",
    }


def _named(values: Sequence[int], names: Sequence[str]) -> dict[str, int]:
    return dict(zip(names, values, strict=True))
