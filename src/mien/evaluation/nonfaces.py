"""Made cuts without a face, to tell faces from.

FER+ has next to no pictures that the crowd calls no face, so they are made: half of them out of
nothing, half out of faces whose parts are torn out of their order.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Generator = np.random.Generator


def made_nonfaces(faces: Image, count: int, seed: int = 0) -> Image:
    """Cuts without a face, uint8 (count, S, S), every kind equally often.

    Args:
        faces: uint8 (N, S, S), what the torn ones are made of.
        count: how many to make.
        seed: the same seed gives the same cuts.
    """
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        face = faces[generator.integers(len(faces))]
        cut = KINDS[number % len(KINDS)](face, generator).astype(np.float64)
        gain, offset = generator.uniform(0.3, 1.2), generator.uniform(-50, 50)
        made.append(((cut - cut.mean()) * gain + cut.mean() + offset).clip(0, 255))
    return np.array(made).astype(np.uint8)


def _flat(face: Image, generator: Generator) -> Image:
    """A plain wall with a little grain."""
    grain = generator.normal(generator.uniform(0, 255), generator.uniform(0, 6), face.shape)
    return np.asarray(grain.clip(0, 255), dtype=np.uint8)


def _cloud(face: Image, generator: Generator) -> Image:
    """Noise of a random coarseness."""
    side = int(generator.integers(2, len(face) + 1))
    noise = generator.integers(0, 256, (side, side)).astype(np.uint8)
    return _scaled(noise, len(face), cv2.INTER_CUBIC)


def _gradient(face: Image, generator: Generator) -> Image:
    """Light that falls off in one direction."""
    places = np.linspace(-1, 1, len(face))
    slope_x, slope_y = generator.uniform(-90, 90, 2)
    light = 128 + slope_x * places + slope_y * places[:, None]
    return np.asarray(light.clip(0, 255), dtype=np.uint8)


def _stripes(face: Image, generator: Generator) -> Image:
    """Waves or bars of a random direction and width."""
    places = np.arange(len(face))
    angle, period = generator.uniform(0, np.pi), generator.uniform(3, 30)
    along = np.cos(angle) * places + np.sin(angle) * places[:, None] + generator.uniform(0, period)
    waves = np.sin(2 * np.pi * along / period)
    waves = np.sign(waves) if generator.random() < 0.5 else waves
    return np.asarray(128 + 100 * waves, dtype=np.uint8)


def _clutter(face: Image, generator: Generator) -> Image:
    """Ellipses, boxes and lines one over the other."""
    side = len(face)
    canvas = np.full((side, side), int(generator.integers(256)), dtype=np.uint8)
    for _ in range(int(generator.integers(3, 14))):
        x, y, u, v = (int(value) for value in generator.integers(0, side, 4))
        grey = int(generator.integers(256))
        shape = generator.integers(3)
        if shape == 0:
            axes = (max(1, u // 2), max(1, v // 2))
            cv2.ellipse(canvas, (x, y), axes, float(generator.uniform(0, 180)), 0, 360, grey, -1)
        elif shape == 1:
            cv2.rectangle(canvas, (x, y), (u, v), grey, -1)
        else:
            cv2.line(canvas, (x, y), (u, v), grey, int(generator.integers(1, 8)))
    return np.asarray(
        cv2.GaussianBlur(canvas, (0, 0), float(generator.uniform(0.3, 1.5))), np.uint8
    )


def _shuffled(face: Image, generator: Generator) -> Image:
    """The tiles of a face in another order."""
    tiles = int(generator.choice([3, 4, 6]))
    size = len(face) // tiles
    parts = [
        face[y * size : (y + 1) * size, x * size : (x + 1) * size]
        for y in range(tiles)
        for x in range(tiles)
    ]
    order = generator.permutation(tiles * tiles)
    rows = [np.hstack([parts[i] for i in order[k * tiles :][:tiles]]) for k in range(tiles)]
    return _scaled(np.vstack(rows), len(face), cv2.INTER_LINEAR)


def _fragment(face: Image, generator: Generator) -> Image:
    """A small part of a face, far too near."""
    size = int(len(face) * generator.uniform(0.15, 0.35))
    x, y = generator.integers(0, len(face) - size, 2)
    return _scaled(face[y : y + size, x : x + size], len(face), cv2.INTER_CUBIC)


def _beside(face: Image, generator: Generator) -> Image:
    """The edge of a face at the edge of the cut, the rest repeated from its border."""
    shift = generator.uniform(0.6, 0.8, 2) * generator.choice([-1, 1], 2)
    shift[generator.integers(2)] *= generator.uniform(0, 1)
    move = np.array([[1, 0, shift[0] * len(face)], [0, 1, shift[1] * len(face)]])
    moved = cv2.warpAffine(face, move, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


KINDS: tuple[Callable[[Image, Generator], Image], ...] = (
    *(_flat, _cloud, _gradient, _stripes, _clutter),
    *(_shuffled, _fragment, _beside, _shuffled, _clutter),
)


def _scaled(image: Image, side: int, method: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)
