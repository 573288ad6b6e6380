"""From crop to frame: FER+ validation faces placed into pictures, found again and recognised.

Faces of 40 to 200 pixels are turned by up to 25 degrees and laid with soft edges on pictures of
640x480 of other content; one of them shows a cat, whose face competes. Of the boxes that hold a
placed face's centre, the one with the nearest centre counts.
Usage: python benchmarks/placed_faces.py DATA_DIR [COUNT]
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from rich.progress import track

from mien import EmotionRecognition
from mien.datasets.ferplus import read_split
from mien.datasets.votes import strict_majority
from mien.labels import EMOTIONS
from mien.results import FaceResult

Image = NDArray[np.uint8]

FRAME_SIZE = (640, 480)
SIZES = {"40 to 60": (40, 60), "60 to 100": (60, 100), "100 to 200": (100, 200)}
LARGEST_TURN_DEGREES = 25
SOFT_EDGE = 0.08  # of the face's side
MIN_FACE_SIZES = (None, 10)
PICTURES = ("brick", "chelsea", "coffee", "hubble_deep_field", "page", "rocket")


class Placed(NamedTuple):
    """A frame RGB (480, 640, 3), where the face's centre lies in it, the cut, and its emotion."""

    frame: Image
    centre: tuple[float, float]
    face: Image
    emotion: str


def main() -> None:
    """Print what was found and how often it was right, beside the cut's own answer."""
    data_dir, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
    for name, sizes in SIZES.items():
        placed = list(place_faces(data_dir, count, sizes))
        crops = EmotionRecognition().run_on_faces([one.face for one in placed])
        right_crops = [
            crop["emotion"] == one.emotion for crop, one in zip(crops, placed, strict=True)
        ]
        for min_face_size in MIN_FACE_SIZES:
            recognition = EmotionRecognition(min_face_size=min_face_size)
            began = time.perf_counter()
            answers = [
                answer_at(recognition.run(one.frame, color="RGB"), one.centre)
                for one in track(placed, description=name, transient=True)
            ]
            spent = 1000 * (time.perf_counter() - began) / count
            found = np.array([answer is not None for answer in answers])
            right = np.array([a == one.emotion for a, one in zip(answers, placed, strict=True)])
            print(
                f"{name:11} pixels, min_face_size={min_face_size!s:5} found {found.mean():5.1%}, "
                f"right {right[found].mean():5.1%} of those "
                f"(as crops {np.array(right_crops)[found].mean():5.1%}), {spent:5.1f} ms a frame"
            )


def place_faces(data_dir: Path, count: int, sizes: tuple[int, int]) -> Iterator[Placed]:
    """Faces of the validation set with a majority, each on a picture."""
    generator = np.random.default_rng(0)
    faces = read_split(data_dir, "valid")
    labels, kept = strict_majority(faces.votes)
    pictures = [as_frame(getattr(skimage.data, name)()) for name in PICTURES]
    for row in generator.choice(np.flatnonzero(kept), count, replace=False):
        size = int(generator.uniform(*sizes))
        room = 0.75 * size
        x, y = (float(generator.uniform(room, side - room)) for side in FRAME_SIZE)
        turn = generator.uniform(-LARGEST_TURN_DEGREES, LARGEST_TURN_DEGREES)
        picture = pictures[generator.integers(len(pictures))]
        frame = lay_on(picture, faces.images[row], size, turn, (x, y))
        yield Placed(frame, (x, y), faces.images[row], EMOTIONS[labels[row]])


def lay_on(
    picture: Image, face: Image, size: int, turn_degrees: float, centre: tuple[float, float]
) -> Image:
    """A picture (H, W, 3) with a grey face on it."""
    large = cv2.resize(face, (size, size), interpolation=cv2.INTER_CUBIC)
    places = np.arange(size)
    to_edge = np.minimum(places, size - 1 - places) / (SOFT_EDGE * size)
    cover = np.minimum.outer(to_edge, to_edge).clip(0, 1).astype(np.float32)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), turn_degrees, 1)
    move = np.asarray(turn, dtype=np.float64)
    move[:, 2] += np.array(centre) - size / 2
    moved = np.asarray(cv2.warpAffine(large, move, FRAME_SIZE))[..., None]
    share = np.asarray(cv2.warpAffine(cover, move, FRAME_SIZE))[..., None]
    return np.asarray(picture * (1 - share) + moved * share, dtype=np.uint8)


def as_frame(picture: Image) -> Image:
    """A picture as RGB (480, 640, 3)."""
    rgb = picture if picture.ndim == 3 else np.dstack([picture] * 3)
    scaled = cv2.resize(np.ascontiguousarray(rgb), FRAME_SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, dtype=np.uint8)


def answer_at(faces: list[FaceResult], centre: tuple[float, float]) -> str | None:
    """The emotion of the face whose box holds a point, nearest to its centre."""
    nearest: tuple[float, str | None] = (float("inf"), None)
    for face in faces:
        x, y, width, height = face["box"]
        across, down = abs(x + width / 2 - centre[0]), abs(y + height / 2 - centre[1])
        if across <= width / 2 and down <= height / 2:
            nearest = min(nearest, (across + down, face["emotion"]), key=lambda pair: pair[0])
    return nearest[1]


if __name__ == "__main__":
    main()
