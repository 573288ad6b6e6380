"""Made cuts without a face, to tell faces from.

FER+ has next to no pictures that the crowd calls no face, so they are made: some out of nothing,
after surfaces, scenes, writing and limbs, and some out of faces: torn, halved, far too near or far
too coarse. No photograph is needed, so that photographs can test what comes of it.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Generator = np.random.Generator


def made_not_faces(faces: Image, count: int, seed: int = 0) -> Image:
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


def _fractal(face: Image, generator: Generator) -> Image:
    """Noise with the spectrum of natural surfaces, 1/f^a, also drawn out in one direction."""
    side = len(face)
    across, down = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))
    angle, stretch = generator.uniform(0, np.pi), generator.choice([1.0, 1.0, 3.0, 6.0])
    along = np.cos(angle) * across + np.sin(angle) * down
    beside = np.cos(angle) * down - np.sin(angle) * across
    frequency = np.hypot(along * stretch, beside) + 1 / side
    spectrum = np.fft.fft2(generator.normal(size=(side, side)))
    surface = np.fft.ifft2(spectrum * frequency ** -generator.uniform(0.4, 2)).real
    surface *= generator.uniform(20, 60) / surface.std()
    return np.asarray((surface + generator.uniform(60, 200)).clip(0, 255), dtype=np.uint8)


def _leaves(face: Image, generator: Generator) -> Image:
    """Shaded discs of all sizes, the near ones over the far ones, as objects hide each other.

    Source: the dead leaves model, Lee, Mumford, Huang 2001.
    """
    side = len(face)
    places = np.linspace(-1, 1, side)
    canvas = np.full((side, side), generator.uniform(0, 255))
    for _ in range(int(generator.integers(20, 120))):
        radius = 0.06 / max(generator.random(), 0.06)
        x, y, flatness = *generator.uniform(-1.2, 1.2, 2), generator.uniform(0.4, 1)
        turn = np.exp(1j * generator.uniform(0, np.pi))
        local = (places - x + 1j * (places[:, None] - y)) * turn / radius
        inside = np.hypot(local.real, local.imag / flatness) < 1
        shade = generator.uniform(0, 255) + generator.uniform(-60, 60) * local.real
        canvas = np.where(inside, shade, canvas)
    canvas += generator.normal(0, generator.uniform(0, 12), canvas.shape)
    return _blurred(canvas, generator)


def _writing(face: Image, generator: Generator) -> Image:
    """Lines of short strokes on paper under uneven light, or bright ones on dark."""
    side = len(face)
    canvas = _gradient(face, generator) * 0.4 + generator.uniform(100, 150)
    ink, height = generator.uniform(-140, -60), int(generator.integers(3, 14))
    strokes = np.zeros((side, side), dtype=np.uint8)
    for top in range(int(generator.integers(height)), side, int(height * 1.6) + 1):
        for left in range(0, side, max(2, height // 2)):
            if generator.random() < 0.8:
                points = np.array([left, top]) + generator.integers(0, height, (4, 2))
                cv2.polylines(strokes, [points.astype(np.int32)], False, 255, 1 + height // 7)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(generator.normal(0, 15)), 1)
    canvas += ink * cv2.warpAffine(strokes, turn, (side, side)) / 255
    return _blurred(canvas if generator.random() < 0.7 else 255 - canvas, generator)


def _limbs(face: Image, generator: Generator) -> Image:
    """Rounded bars side by side, bright along their middle, as fingers and arms are."""
    side = len(face)
    canvas = np.full((side, side), generator.uniform(0, 255))
    direction, grey = generator.uniform(0, 2 * np.pi), generator.uniform(90, 220)
    width = generator.uniform(0.08, 0.3) * side
    for _ in range(int(generator.integers(1, 6))):
        angle = direction + generator.normal(0, 0.25)
        start = generator.uniform(0, side, 2)
        end = start + generator.uniform(0.4, 1.2) * side * np.array([np.cos(angle), np.sin(angle)])
        outline = np.full((side, side), 255, dtype=np.uint8)
        cv2.line(outline, start.astype(int).tolist(), end.astype(int).tolist(), 0, 1)
        depth = 1 - (cv2.distanceTransform(outline, cv2.DIST_L2, 5) / width) ** 2
        canvas = np.where(depth > 0, grey * (0.45 + 0.55 * np.sqrt(depth.clip(0))), canvas)
    return _blurred(canvas, generator)


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
    return _blurred(canvas.astype(np.float64), generator)


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


def _half(face: Image, generator: Generator) -> Image:
    """One half of a face, the other hidden behind one grey or the half's own border."""
    side, turn = len(face), int(generator.integers(4))
    half = np.rot90(face, turn)[: side // 2]
    rest = np.repeat(half[-1:], side - len(half), axis=0)
    if generator.random() < 0.5:
        rest = np.full_like(rest, generator.integers(256))
    return np.ascontiguousarray(np.rot90(np.vstack([half, rest]), -turn))


def _coarse(face: Image, generator: Generator) -> Image:
    """A face of 6 to 12 pixels."""
    small = _scaled(face, int(generator.integers(6, 13)), cv2.INTER_AREA)
    return _scaled(small, len(face), cv2.INTER_LINEAR)


KINDS: tuple[Callable[[Image, Generator], Image], ...] = (
    *(_flat, _cloud, _gradient, _stripes, _fractal, _leaves, _clutter, _writing, _limbs),
    *(_shuffled, _shuffled, _fragment, _beside, _half, _coarse),
)


def _blurred(canvas: NDArray[np.floating], generator: Generator) -> Image:
    soft = cv2.GaussianBlur(canvas.clip(0, 255), (0, 0), float(generator.uniform(0.3, 1.5)))
    return np.asarray(soft, dtype=np.uint8)


def _scaled(image: Image, side: int, method: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)
