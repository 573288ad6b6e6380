"""From crop to frame: FER+ faces placed into pictures, found again and recognised.

Faces of 40 to 200 pixels are turned by up to 25 degrees and laid with soft edges on pictures of
640x480 of other content. One picture shows a cat, which the detector takes for a face too: the
answer for a placed face is the detection that fits its square best, by intersection over union,
and it counts as found from an overlap of 0.25 on, since many faces fill only a part of their crop.
Whether the largest detection is the placed face is not asked.

Besides, faces are the whole picture themselves, enlarged fourfold, without anything around them.

Right of those found is set beside the same faces' own crops, taken whole. Reading the test split
is a reading of the test set: enter it in docs/experiments.md.
"""

import argparse
import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

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
ENLARGEMENT = 4
MIN_FACE_SIZES: tuple[float | None, ...] = (None, 10, 40)
PICTURES = ("brick", "chelsea", "coffee", "hubble_deep_field", "page", "rocket")
#: A detection that covers less of the placed square, by intersection over union, is another one.
LEAST_OVERLAP = 0.25


class Placed(NamedTuple):
    """A face in a frame RGB (480, 640, 3): where, on which picture, its crop and its emotion."""

    frame: Image
    square: tuple[float, float, float, float]
    picture: str
    face: Image
    emotion: str


@dataclass
class Tally:
    """What became of the faces of one range of sizes at one setting, an entry per face."""

    pictures: list[str] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    right_crop: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, one: Placed, answer: str | None, crop: str, seconds: float) -> None:
        """Enter a face: the answer in the frame, None if it was not found, and the crop's."""
        self.pictures.append(one.picture)
        self.found.append(answer is not None)
        self.right.append(answer == one.emotion)
        self.right_crop.append(crop == one.emotion)
        self.seconds.append(seconds)

    def figures(self, picture: str | None = None) -> dict[str, float]:
        """Shares in percent with their standard errors; of the faces on one picture, or all."""
        chosen = np.array([picture in (None, name) for name in self.pictures])
        found = np.array(self.found) & chosen
        right, crop = np.array(self.right)[found], np.array(self.right_crop)[found]
        return {
            "faces": int(chosen.sum()),
            **share("found", np.array(self.found)[chosen]),
            **share("right", right),
            **share("right_as_crops", crop),
            **share("difference", right.astype(float) - crop),
            "ms_a_frame": round(1000 * float(np.median(np.array(self.seconds)[chosen])), 2),
        }


def main() -> None:
    """Print what was found and how often it was right, beside the crop's own answer."""
    options = parse()
    rows: list[dict[str, Any]] = []
    chosen = options.data_dir, options.split, options.count
    sources = {name: place_faces(*chosen, sizes) for name, sizes in SIZES.items()}
    for name, placed in {**sources, "whole picture": enlarged_faces(*chosen)}.items():
        tallies = measure(placed, options.count, name)
        for min_face_size, tally in tallies.items():
            row = {"pixels": name, "min_face_size": min_face_size, **tally.figures()}
            print(line(row), flush=True)
            on = {picture: tally.figures(picture) for picture in sorted(set(tally.pictures))}
            if options.by_picture:
                for picture, figures in on.items():
                    named = {"pixels": f"  {picture}", "min_face_size": min_face_size, **figures}
                    print(line(named))
            rows.append({**row, "by_picture": on})
    if options.json is not None:
        report = {"split": options.split, "count": options.count, "rows": rows}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_dir", type=Path, help="the folder `mien prepare ferplus` made")
    parser.add_argument("--count", type=int, default=700, help="faces a range of sizes")
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--by-picture", action="store_true", help="print every picture too")
    return parser.parse_args()


def measure(placed: Iterable[Placed], count: int, name: str) -> dict[float | None, Tally]:
    """One tally per `min_face_size`; every frame goes through all settings in turn."""
    recognitions = {size: EmotionRecognition(min_face_size=size) for size in MIN_FACE_SIZES}
    tallies = {size: Tally() for size in MIN_FACE_SIZES}
    for one in track(placed, description=name, total=count, transient=True):
        crop = recognitions[None].run_on_face(one.face)["emotion"]
        for size, recognition in recognitions.items():
            began = time.perf_counter()
            faces = recognition.run(one.frame, color="RGB")
            seconds = time.perf_counter() - began
            tallies[size].add(one, answer_for(faces, one.square), crop, seconds)
    return tallies


def place_faces(data_dir: Path, split: str, count: int, sizes: tuple[int, int]) -> Iterator[Placed]:
    """Faces of a split with a majority, each on a picture."""
    generator = np.random.default_rng(sizes)
    faces = read_split(data_dir, split)
    labels, kept = strict_majority(faces.votes)
    pictures = [as_frame(getattr(skimage.data, name)()) for name in PICTURES]
    for row in generator.choice(np.flatnonzero(kept), min(count, kept.sum()), replace=False):
        size = int(generator.uniform(*sizes))
        room = 0.75 * size
        x, y = (float(generator.uniform(room, side - room)) for side in FRAME_SIZE)
        turn = generator.uniform(-LARGEST_TURN_DEGREES, LARGEST_TURN_DEGREES)
        picture = int(generator.integers(len(pictures)))
        frame = lay_on(pictures[picture], faces.images[row], size, turn, (x, y))
        square = (x - size / 2, y - size / 2, size, size)
        yield Placed(frame, square, PICTURES[picture], faces.images[row], EMOTIONS[labels[row]])


def enlarged_faces(data_dir: Path, split: str, count: int) -> Iterator[Placed]:
    """Faces of a split with a majority, each a picture of its own."""
    faces = read_split(data_dir, split)
    labels, kept = strict_majority(faces.votes)
    rows = np.flatnonzero(kept)
    for row in np.random.default_rng(0).choice(rows, min(count, len(rows)), replace=False):
        large = cv2.resize(
            faces.images[row], None, fx=ENLARGEMENT, fy=ENLARGEMENT, interpolation=cv2.INTER_CUBIC
        )
        frame = np.dstack([np.asarray(large, dtype=np.uint8)] * 3)
        square = 0.0, 0.0, float(frame.shape[1]), float(frame.shape[0])
        yield Placed(frame, square, "none", faces.images[row], EMOTIONS[labels[row]])


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


def answer_for(faces: list[FaceResult], square: tuple[float, float, float, float]) -> str | None:
    """The emotion of the face whose box fits a square best, None if none fits."""
    fits = [(overlap(face["box"], square), face["emotion"]) for face in faces]
    best, emotion = max(fits, default=(0.0, ""))
    return emotion if best >= LEAST_OVERLAP else None


def overlap(one: Iterable[float], other: Iterable[float]) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    (x, y, width, height), (u, v, w, h) = one, other
    across, down = min(x + width, u + w) - max(x, u), min(y + height, v + h) - max(y, v)
    common = max(across, 0) * max(down, 0)
    return common / (width * height + w * h - common)


def share(name: str, values: NDArray[Any]) -> dict[str, float]:
    """The mean in percent, and its standard error; nothing where there are no values."""
    if len(values) == 0:
        return {}
    mean, error = 100 * values.mean(), 100 * values.std() / math.sqrt(len(values))
    return {name: round(float(mean), 2), f"{name}_error": round(float(error), 2)}


def line(row: dict[str, Any]) -> str:
    """One row for the eye."""
    shares = "  ".join(
        f"{name} {row[key]:5.1f} ± {row[key + '_error']:.1f}" if key in row else f"{name} -"
        for name, key in (
            ("found", "found"),
            ("right", "right"),
            ("as crops", "right_as_crops"),
            ("difference", "difference"),
        )
    )
    size = "none" if row["min_face_size"] is None else row["min_face_size"]
    return f"{row['pixels']:19} min_face_size {size!s:5} {shares}  {row['ms_a_frame']:5.1f} ms"


if __name__ == "__main__":
    main()
