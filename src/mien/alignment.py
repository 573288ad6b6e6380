"""The canonical frame: the one definition of the cut that training and run time share.

It is the way a face sits in a FER-2013 image. Means over 1,200 training images, found by
RetinaFace on their fourfold enlargement (99.2 % detected).
"""

import cmath
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Landmarks = NDArray[np.floating] | Sequence[tuple[float, float]]

#: Right eye, left eye, nose, right and left corner of the mouth (the person's own right and
#: left), as fractions of the frame's side.
CANONICAL_LANDMARKS = (
    (0.326, 0.379),
    (0.679, 0.375),
    (0.503, 0.590),
    (0.361, 0.756),
    (0.648, 0.754),
)

#: Of a cut-out face that is padded to a square, in pixels.
LONGEST_SIDE = 10_000

#: The median detection box in the canonical frame: x, y, width, height.
CANONICAL_BOX = (0.112, 0.009, 0.783, 1.009)


def face_transform(
    box_xywh: Sequence[float],
    landmarks: Landmarks | None,
    canonical: Sequence[tuple[float, float]],
    side: int,
) -> Matrix:
    """The similarity (2, 3) that takes points of a cut of `side` pixels to the frame.

    Scale and place are those of the box, the turn is that of the landmarks (5, 2), in frame
    pixels; without landmarks the cut is upright. The landmarks of a face seen from the side lie
    close together, though it is no smaller: its box says better how large it is, and where.
    """
    x, y, width, height = box_xywh
    left, top, box_width, box_height = CANONICAL_BOX
    scale = math.sqrt(width / box_width * height / box_height) / side
    turn = 1 if landmarks is None else _turn(landmarks, canonical)
    centre = complex(x + width / 2, y + height / 2)
    inside = complex(left + box_width / 2, top + box_height / 2) * side
    return _similarity(scale * turn, centre - scale * turn * inside)


def cut(frame: Image, transform: Matrix, side: int) -> Image:
    """The canonical face (side, side) that a transform (2, 3) finds in a frame (H, W) or (H, W, C).

    A large face is averaged over areas, so that it does not alias: first over whole pixels of the
    frame, to about twice the side, and once it is sampled at a multiple of the side again. Where
    the frame ends, its border is repeated. Of a large frame `around` gives all that is needed.
    """
    most = max(frame.shape) // side + 1
    shrink = min(_shrink(transform), most)
    samples = max(1, min(math.ceil(_scale(transform) / shrink - 0.05), most))
    small, transform = _shrunk(frame, transform, shrink)
    fine = transform / [samples, samples, 1]
    # Transforms count from the corner of the first pixel, OpenCV counts from its centre.
    fine[:, 2] += (fine[:, 0] + fine[:, 1] - 1) / 2
    # The mean of many samples is the same by the faster way.
    method = cv2.INTER_CUBIC if samples < 3 else cv2.INTER_LINEAR
    face = cv2.warpAffine(
        small,
        fine,
        (side * samples, side * samples),
        flags=method | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _resized(np.asarray(face, dtype=np.uint8), side)


def around(frame: Image, transform: Matrix, side: int) -> tuple[Image, Matrix]:
    """The part of a frame that a cut needs, and the transform from the cut to that part.

    It reaches as far beyond the cut as cubic interpolation does.
    """
    shrink = _shrink(transform)
    height, width = frame.shape[:2]
    across, down = transform.tolist()
    left, right = _reach(across, side, shrink, width)
    top, bottom = _reach(down, side, shrink, height)
    return frame[top:bottom, left:right], transform - [[0, 0, left], [0, 0, top]]


def _reach(row: Sequence[float], side: int, shrink: int, end: int) -> tuple[int, int]:
    """From where to where a cut reaches along one way of the frame, by a row of its transform.

    It begins where whole groups of pixels do, so that they are averaged as in the whole frame.
    """
    margin = 2 * shrink + 2
    low = row[2] + side * (min(row[0], 0) + min(row[1], 0)) - margin
    high = row[2] + side * (max(row[0], 0) + max(row[1], 0)) + margin
    begin = int(min(max(low, 0), end - 1)) // shrink * shrink
    return begin, int(min(max(high, begin + 1), end))


def _shrunk(frame: Image, transform: Matrix, shrink: int) -> tuple[Image, Matrix]:
    """A frame with `shrink` x `shrink` pixels averaged to one, and the transform to it."""
    if shrink == 1:
        return frame, transform
    height, width = frame.shape[:2]
    down, right = shrink + -height % shrink, shrink + -width % shrink
    wider = cv2.copyMakeBorder(frame, shrink, down, shrink, right, cv2.BORDER_REPLICATE)
    size = (wider.shape[1] // shrink, wider.shape[0] // shrink)
    small = cv2.resize(wider, size, interpolation=cv2.INTER_AREA)
    moved = transform + np.array([0, 0, shrink])
    return np.asarray(small, dtype=np.uint8), moved / shrink


def _shrink(transform: Matrix) -> int:
    """How many pixels of the frame, along a side, are averaged before anything else."""
    return max(1, int(_scale(transform) / 2))


def _scale(transform: Matrix) -> float:
    """Pixels of the frame a pixel of the cut."""
    return math.hypot(transform[0, 0], transform[1, 0])


def whole(face: Image, side: int) -> Image:
    """A cut-out face as it is, (H, W) or (H, W, C): padded to a square, and scaled.

    The padding repeats its border.
    """
    face = _not_too_long(face)
    height, width = face.shape[:2]
    rest = max(height, width) - np.array([height, width])
    (top, left), (bottom, right) = rest // 2, rest - rest // 2
    square = cv2.copyMakeBorder(
        face, int(top), int(bottom), int(left), int(right), cv2.BORDER_REPLICATE
    )
    return _resized(np.asarray(square, dtype=np.uint8), side)


def _not_too_long(face: Image) -> Image:
    """A face whose square would take hundreds of megabytes is shrunk before."""
    height, width = face.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return face
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _resized(face: Image, side: int) -> Image:
    if len(face) == side:
        return face
    method = cv2.INTER_AREA if len(face) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(face, (side, side), interpolation=method), dtype=np.uint8)


def _turn(landmarks: Landmarks, canonical: Sequence[tuple[float, float]]) -> complex:
    """How landmarks (5, 2) are turned against the canonical ones, as a number of modulus one.

    It is the turn of the similarity between them that is best by least squares.
    Source: Umeyama 1991, for two dimensions, where it is linear in complex numbers.
    """
    source, target = _centred(canonical), _centred(np.asarray(landmarks).tolist())
    products = (one.conjugate() * other for one, other in zip(source, target, strict=True))
    return cmath.rect(1, cmath.phase(sum(products)))


def _centred(points: Sequence[tuple[float, float]]) -> list[complex]:
    numbers = [complex(x, y) for x, y in points]
    middle = sum(numbers) / len(numbers)
    return [number - middle for number in numbers]


def _similarity(turn: complex, shift: complex) -> Matrix:
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
