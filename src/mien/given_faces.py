"""Faces that a caller gives, by boxes or by a detector of their own: checked."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ImageError
from mien.number import is_number
from mien.results import DetectedFace

#: No coordinate in a picture is larger, in pixels.
FARTHEST = 1e9


def faces_of_detector(faces: Any) -> list[DetectedFace]:
    """What a detector gave, as plain numbers: a caller's own may give anything.

    Raises:
        ImageError: it is no list of faces, or a number can't be one of a picture.
    """
    if not isinstance(faces, Iterable):
        raise ImageError(
            f"the detector gave a {type(faces).__name__}, expected a list of mien.DetectedFace"
        )
    return [_checked_face(face) for face in faces]


def faces_of_boxes(boxes: Any) -> list[DetectedFace]:
    """Faces at boxes, each x, y, width and height in pixels.

    Raises:
        ImageError: they are no such boxes.
    """
    if not isinstance(boxes, Iterable):
        raise ImageError(f"boxes is {boxes!r}, expected a list of x, y, width and height in pixels")
    faces = [DetectedFace(_checked_box(box)) for box in boxes]
    for face in faces:
        if max(face.box[2:]) < 1:
            raise ImageError(f"the box is {face.box}, expected pixels, not shares of the frame")
    return faces


def _checked_face(face: Any) -> DetectedFace:
    if not all(hasattr(face, name) for name in ("box", "score", "landmarks")):
        raise ImageError(
            f"the detector gave a list of {type(face).__name__}, expected mien.DetectedFace"
        )
    if face.score is not None and not is_number(face.score):
        raise ImageError(f"the detector's score is {face.score!r}, expected a number or None")
    score = None if face.score is None else float(face.score)
    if face.landmarks is None:
        return DetectedFace(_checked_box(face.box), score)
    landmarks = _as_numbers(face.landmarks)
    if landmarks.shape != (5, 2) or not (np.abs(landmarks) < FARTHEST).all():
        told = f"of shape {landmarks.shape}" if landmarks.shape != (5, 2) else landmarks.tolist()
        raise ImageError(f"the landmarks are {told}, expected five points (x, y)")
    return DetectedFace(_checked_box(face.box), score, landmarks)


def _checked_box(box: Any) -> tuple[float, float, float, float]:
    values = _as_numbers(box)
    if values.shape != (4,) or not (np.abs(values) < FARTHEST).all() or values[2:].min() <= 0:
        raise ImageError(f"the box is {box!r}, expected x, y, width and height in pixels")
    x, y, width, height = values.tolist()
    return x, y, width, height


def _as_numbers(values: Any) -> NDArray[np.float64]:
    """An array of numbers; an empty one of anything else."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)
