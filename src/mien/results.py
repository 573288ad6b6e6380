"""What a detector finds, and what a result says, in plain Python types."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict

from mien.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LANDMARK_NAMES = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")


@dataclass(frozen=True)
class DetectedFace:
    """One face that a detector has found.

    Attributes:
        box: x, y, width and height in pixels; it may reach over the frame's border.
        score: how sure the detector is, 0 to 1; None if it does not say.
        landmarks: five points (x, y) in pixels, in the order of `LANDMARK_NAMES` (the person's
            own right and left), or None.
    """

    box: tuple[float, float, float, float]
    score: float | None = None
    landmarks: "NDArray[np.floating] | Sequence[tuple[float, float]] | None" = None


class FaceAnswer(TypedDict):
    """What mien says of a cut-out face; everything is JSON.

    Attributes:
        emotion: the most probable class.
        confidence: its calibrated probability.
        emotions: the probability of every class; they sum to 1.
        uncertainty: entropy of `emotions` over its largest possible value.
        candidates: classes meant to hold the crowd's majority in 95 % of cases; `emotion` is first.
        face_likeness: how much the cut looks like the faces the network learnt from, 0 to 1.
        uncertain: too ambiguous, or too unlike a face, to act on.
    """

    emotion: str
    confidence: float
    emotions: dict[str, float]
    uncertainty: float
    candidates: list[str]
    face_likeness: float
    uncertain: bool


class FaceResult(FaceAnswer):
    """What mien says of a face in a frame.

    Attributes:
        box: x, y, width, height in whole pixels, inside the frame.
        face_confidence: the detector's score; None where it has none.
        landmarks: points by name, the person's own right and left; None where there are none.
    """

    box: list[int]
    face_confidence: float | None
    landmarks: dict[str, list[float]] | None


class TrackedFace(FaceResult):
    """What mien says of a face in a stream.

    Attributes:
        track_id: the number of the face that is followed.
        raw_emotions: `emotions` as they were before the smoothing, where there is one.
    """

    track_id: int
    raw_emotions: NotRequired[dict[str, float]]


def check_boxes(faces: Sequence[object]) -> None:
    """Raise ConfigError unless every face is a result with a box."""
    if any(not isinstance(face, dict) or "box" not in face for face in faces):
        raise ConfigError("a face without a box came, expected results of 'run' or 'stream'")


def check_emotions(faces: Sequence[FaceAnswer], labels: Sequence[str], taker: str) -> None:
    """Raise ConfigError if a face tells other emotions apart than what is to take it."""
    for face in faces:
        if face["emotions"].keys() != set(labels):
            raise ConfigError(
                f"a face has {', '.join(face['emotions'])}, but the {taker} {', '.join(labels)}"
            )


def confidence_text(confidence: float) -> str:
    """A confidence in whole percent; what would round to certainty is ">99%"."""
    return ">99%" if confidence >= 0.995 else f"{confidence:.0%}"


def box_inside(box: Sequence[float], width: int, height: int) -> list[int]:
    """A box (x, y, width, height) in whole pixels, cut at the borders of a frame.

    A box that lies outside shrinks to the nearest pixel of the frame.
    """
    x, y, box_width, box_height = box
    left = min(max(round(x), 0), width - 1)
    top = min(max(round(y), 0), height - 1)
    right = min(max(round(x + box_width), left + 1), width)
    bottom = min(max(round(y + box_height), top + 1), height)
    return [left, top, right - left, bottom - top]


def found_face(face: DetectedFace, width: int, height: int, answer: FaceAnswer) -> FaceResult:
    """The result of a face that was found in a frame of `width` x `height` pixels."""
    landmarks = None
    if face.landmarks is not None:
        points = [[float(x), float(y)] for x, y in face.landmarks]
        landmarks = dict(zip(LANDMARK_NAMES, points, strict=True))
    return {
        "box": box_inside(face.box, width, height),
        "face_confidence": None if face.score is None else float(face.score),
        "landmarks": landmarks,
        **answer,
    }
