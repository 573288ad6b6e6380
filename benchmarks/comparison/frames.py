"""The frames that are timed, made of the packaged picture: BGR (480, 640, 3)."""

from collections.abc import Callable
from importlib.resources import as_file, files
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.images import read_image

Image = NDArray[np.uint8]

WIDTH, HEIGHT = 640, 480
#: Where the picture of 512 x 512 shows the head: left, top, side.
HEAD = (100, 15, 240)
TILE_SIDE = 200
TILE_CENTRES = ((110, 120), (320, 120), (530, 120), (215, 360), (425, 360))
BACKGROUND_GREY = 128


def one_face() -> Image:
    """The upper three quarters of the picture."""
    picture = _picture()
    upper = picture[: picture.shape[1] * HEIGHT // WIDTH]
    return np.asarray(cv2.resize(upper, (WIDTH, HEIGHT)), dtype=np.uint8)


def five_faces() -> Image:
    """The picture's head, five times on grey."""
    left, top, side = HEAD
    head = _picture()[top : top + side, left : left + side]
    tile = cv2.resize(head, (TILE_SIDE, TILE_SIDE), interpolation=cv2.INTER_AREA)
    frame = np.full((HEIGHT, WIDTH, 3), BACKGROUND_GREY, dtype=np.uint8)
    for x, y in TILE_CENTRES:
        x, y = x - TILE_SIDE // 2, y - TILE_SIDE // 2
        frame[y : y + TILE_SIDE, x : x + TILE_SIDE] = tile
    return frame


def _picture() -> Image:
    with as_file(files("mien") / "assets" / "astronaut.jpg") as path:
        return np.ascontiguousarray(read_image(path)[..., ::-1])


class Frame(NamedTuple):
    """How a frame is made, and how many faces it shows."""

    make: Callable[[], Image]
    faces: int


ONE_FACE, FIVE_FACES = "one face", "five faces"
FRAMES = {ONE_FACE: Frame(one_face, 1), FIVE_FACES: Frame(five_faces, 5)}
