"""Whether two people who cross keep their numbers.

The faces of a picture with two people are cut out with soft edges and walk past one another before
the picture's own surroundings, blurred; the one behind is hidden for a while. Every seed draws
speeds, sizes, heights, frame rate, noise and who is in front.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import EmotionRecognition
from mien.images import read_image
from mien.results import TrackedFace

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

WIDTH, HEIGHT = 480, 360
SEEDS = range(20)
#: A cut-out reaches so much further than the face's box, and fades over this share of its width.
REACH, SOFT_EDGE = 1.25, 0.05
#: Two faces are apart when their centres are so many widths of the larger one apart.
APART = 1.0


@dataclass(frozen=True)
class Walker:
    """A face that walks: width, height, speed along x and sway in pixels and seconds."""

    width: float
    y: float
    speed: float
    sway: float
    phase: float

    def centre(self, time_s: float) -> Floats:
        """Where it is, so long after it was in the middle (2,)."""
        sway = self.sway * np.sin(2 * np.pi * 1.8 * time_s + self.phase)  # a step takes 0.55 s
        return np.array([WIDTH / 2 + self.speed * time_s, self.y + sway])


@dataclass(frozen=True)
class Crossing:
    """Two walkers, the one in front last; `first` says which face of the picture that is."""

    walkers: tuple[Walker, Walker]
    first: int
    frames_per_second: float
    noise: float

    def times(self) -> Floats:
        """The seconds of the frames, 0 where the two meet: while both are in the picture."""
        last_s = min((WIDTH / 2 - 0.6 * one.width) / abs(one.speed) for one in self.walkers)
        count = int(last_s * self.frames_per_second)
        return np.arange(-count, count + 1) / self.frames_per_second


def drawn(seed: int) -> Crossing:
    """The crossing of a seed."""
    generator = np.random.default_rng(seed)
    width = generator.uniform(60, 100)
    direction = generator.choice([-1, 1])
    behind, before = (
        Walker(
            width=width * generator.uniform(0.85, 1.15),
            y=HEIGHT / 2 + width * generator.uniform(-0.2, 0.2),
            speed=way * generator.uniform(90, 260),
            sway=generator.uniform(0, 5),
            phase=generator.uniform(0, 2 * np.pi),
        )
        for way in (direction, -direction)
    )
    return Crossing(
        walkers=(behind, before),
        first=int(generator.integers(2)),
        frames_per_second=float(generator.choice([12.5, 25.0])),
        noise=generator.uniform(0, 10),
    )


class Scene:
    """The surroundings and the two faces of a picture.

    Args:
        picture_rgb: a picture (H, W, 3) with two people.
        recognition: finds their faces.
    """

    def __init__(self, picture_rgb: Image, recognition: EmotionRecognition) -> None:
        faces = recognition.run(picture_rgb, color="RGB")
        assert len(faces) == 2, f"the picture has {len(faces)} faces, expected two"
        self._cutouts = [_cut_out(picture_rgb, face["box"]) for face in faces]
        blurred = cv2.GaussianBlur(cv2.resize(picture_rgb, (WIDTH, HEIGHT)), (0, 0), 25)
        self._background = np.asarray(blurred, dtype=np.float64)

    def frames(self, crossing: Crossing, seed: int) -> Iterator[tuple[Image, float]]:
        """Pictures, RGB (H, W, 3), and their seconds from 0 on."""
        generator = np.random.default_rng(seed)
        times = crossing.times()
        for time_s in times:
            image = self._background.copy()
            for place, walker in enumerate(crossing.walkers):
                self._paint(image, (crossing.first + place) % 2, walker, time_s)
            image += crossing.noise * generator.standard_normal(image.shape)
            yield image.clip(0, 255).astype(np.uint8), float(time_s - times[0])

    def stay(self, face: int, count: int) -> Iterator[Image]:
        """Pictures, RGB (H, W, 3), of one of the two faces, which sways in the middle."""
        walker = Walker(width=80, y=HEIGHT / 2, speed=0, sway=3, phase=0)
        for place in range(count):
            image = self._background.copy()
            self._paint(image, face, walker, place / 12.5)
            yield image.clip(0, 255).astype(np.uint8)

    def empty(self) -> Image:
        """The surroundings alone, RGB (H, W, 3)."""
        return self._background.astype(np.uint8)

    def _paint(self, image: Floats, face: int, walker: Walker, time_s: float) -> None:
        cutout = self._cutouts[face]
        scale = walker.width * REACH / cutout.shape[1]
        middle = np.array([cutout.shape[1], cutout.shape[0]]) / 2
        shift = walker.centre(time_s) - scale * middle
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        laid = cv2.warpAffine(cutout, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        image *= 1 - laid[..., 3:]
        image += laid[..., :3]


def _cut_out(picture_rgb: Image, box: list[int]) -> Floats:
    """A head with a soft edge: colours times opacity, and opacity, (H, W, 4)."""
    x, y, width, height = box
    left, top = x - round((REACH - 1) / 2 * width), y - round((REACH - 1) / 2 * height)
    right, bottom = 2 * x + width - left, 2 * y + height - top
    padded = cv2.copyMakeBorder(picture_rgb, 99, 99, 99, 99, cv2.BORDER_REPLICATE)
    head = padded[top + 99 : bottom + 99, left + 99 : right + 99].astype(np.float64)
    shape = np.zeros(head.shape[:2])
    axes = (int(0.44 * head.shape[1]), int(0.46 * head.shape[0]))
    cv2.ellipse(shape, (head.shape[1] // 2, head.shape[0] // 2), axes, 0, 0, 360, 1.0, -1)
    opacity = np.asarray(cv2.GaussianBlur(shape, (0, 0), SOFT_EDGE * width))[..., None]
    return np.concatenate([head * opacity, opacity], axis=2)


@dataclass(frozen=True)
class Verdict:
    """What became of the numbers in one crossing.

    Attributes:
        is_kept: in every frame where the two are apart, the face that is where a person is has the
            number that it had first, and both are seen in the end.
        numbers: how many were given in all; more than two where a piece of a face, or of both, was
            taken for another face.
        hidden: frames in which fewer than two faces were found.
        frames: how many there were.
    """

    is_kept: bool
    numbers: int
    hidden: int
    frames: int


def judged(
    scene: Scene, seed: int, recognition: EmotionRecognition, detect_every: int = 1
) -> Verdict:
    """Let two people cross, and see whether they keep their numbers."""
    crossing = drawn(seed)
    times = crossing.times()
    apart = APART * max(walker.width for walker in crossing.walkers)
    seen: tuple[list[int], list[int]] = ([], [])
    everything: list[list[int]] = []
    frames = recognition.stream(
        scene.frames(crossing, seed), color="RGB", detect_every=detect_every, smoothing_s=0
    )
    for time_s, frame in zip(times, frames, strict=True):
        everything.append([face["track_id"] for face in frame.faces])
        centres = [walker.centre(time_s) for walker in crossing.walkers]
        if abs(centres[0][0] - centres[1][0]) > apart:
            for numbers, centre in zip(seen, centres, strict=True):
                numbers += _number_at(frame.faces, centre, apart / 2)
    is_kept = all(len(set(numbers)) == 1 for numbers in seen) and seen[0][0] != seen[1][0]
    is_kept = is_kept and sorted(everything[-1]) == sorted((seen[0][0], seen[1][0]))
    return Verdict(
        is_kept,
        numbers=len({number for numbers in everything for number in numbers}),
        hidden=sum(len(numbers) < 2 for numbers in everything),
        frames=len(times),
    )


def _number_at(faces: list[TrackedFace], centre: Floats, reach: float) -> list[int]:
    """The number of the face nearest to a place, if there is one near."""
    distances = {}
    for face in faces:
        x, y, width, height = face["box"]
        distances[float(np.hypot(*(centre - (x + width / 2, y + height / 2))))] = face["track_id"]
    return [distances[min(distances)]] if distances and min(distances) < reach else []


def main() -> None:
    """Print what became of every seed, for several `detect_every`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, help="a picture with two people")
    parser.add_argument("--detect-every", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    recognition = EmotionRecognition(threads=arguments.threads)
    scene = Scene(read_image(arguments.picture), recognition)
    for detect_every in arguments.detect_every:
        kept = 0
        for seed in SEEDS:
            verdict = judged(scene, seed, recognition, detect_every)
            kept += verdict.is_kept
            print(f"detect_every {detect_every}, seed {seed:2}: {verdict}", flush=True)
        print(f"detect_every {detect_every}: numbers kept in {kept} of {len(SEEDS)}")


if __name__ == "__main__":
    main()
