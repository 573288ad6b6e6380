"""Results drawn on a picture."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mien.images import check_rgb
from mien.results import FaceResult, check_boxes, confidence_text

#: Okabe and Ito's colours, which people with any kind of colour vision tell apart.
COLORS = {
    "neutral": "#BBBBBB",
    "happiness": "#F0E442",
    "surprise": "#56B4E9",
    "sadness": "#0072B2",
    "anger": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "contempt": "#E69F00",
}
OTHER_COLOR = "#FFFFFF"
DARK, LIGHT, DIM = "#000000", "#FFFFFF", "#CCCCCC"
#: Dark plates let a little of the picture through.
SHADE = "#000000DC"
#: Font sizes in pixels: the least one, and the least one where the picture is too small for it.
LEAST_SIZE, TINY_SIZE = 11, 8
#: In the folder of matplotlib.
OTHER_FONT = Path("mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
#: Between a box and what belongs to it, in pixels.
GAP = 2

Picture = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
#: x, y, width and height, in pixels.
Box = Sequence[int]


def draw_faces(image_rgb: Picture, faces: Sequence[FaceResult], bars: bool = False) -> Picture:
    """A new picture (H, W, 3) with a box and a label for each face.

    An uncertain answer has a broken box, a hollow label and a question mark. Sizes follow those
    of the picture and of the face.

    Args:
        image_rgb: the picture (H, W, 3); it is not changed.
        faces: what to draw; where they overlap, the first lies on top.
        bars: beside each face, draw a panel with one bar per emotion, as long as its probability. A
            picture that is too small for a readable panel gets none.

    Raises:
        ImageError: the picture is no uint8 array (H, W, 3).
        ConfigError: a face has no box, as those of `run_on_face`.
    """
    check_rgb(image_rgb)
    check_boxes(faces)
    drawn = image_rgb.copy()
    room = (drawn.shape[1], drawn.shape[0])
    for face in reversed(faces):
        _draw_box(drawn, face, room)
    for plate, x, y in reversed(_plates(faces, room, bars)):
        pixels = drawn[y : y + plate.height, x : x + plate.width]
        patch = Image.fromarray(pixels)
        patch.paste(plate, (0, 0), plate)
        pixels[:] = np.asarray(patch)
    return drawn


def label_text(face: FaceResult) -> str:
    """Emotion and confidence in a few words, after the number of a face that is followed."""
    track_id = face.get("track_id")  # of a `TrackedFace`
    number = "" if track_id is None else f"#{track_id} "
    doubt = " ?" if face["uncertain"] else ""
    return f"{number}{face['emotion']} {confidence_text(face['confidence'])}{doubt}"


def _plates(
    faces: Sequence[FaceResult], room: tuple[int, int], bars: bool
) -> list[tuple[Image.Image, int, int]]:
    """Labels, then panels, with their x and y in a picture of the size `room`."""
    labels = [_fitting(_label, face, room) or _label(face, TINY_SIZE) for face in faces]
    panels = [_fitting(_panel, face, room) for face in faces] if bars else []
    taken: list[list[Box]] = [[face["box"]] for face in faces]  # of each face
    placed = []
    for plate, own in zip([*labels, *panels], taken * 2, strict=False):
        if plate is not None:
            x, y = _place(plate.size, own, list(chain(*taken)), room)
            own.append((x, y, *plate.size))
            placed.append((plate, x, y))
    return placed


def _label(face: FaceResult, size: int) -> Image.Image:
    """Writing on a plate in the emotion's colour, or on a dark one in a frame of that colour."""
    text, color = _writing(label_text(face), size), _color(face)
    margin = 1 + size // 4
    plate_size = (text.width + 2 * margin, text.height + margin)
    if face["uncertain"]:
        ink, fill, edge, edge_width = LIGHT, SHADE, color, 1 + size // 12
    else:
        ink, fill, edge, edge_width = DARK if _is_bright(color) else LIGHT, color, DARK, 1
    plate = Image.new("RGBA", plate_size, fill)
    pen = ImageDraw.Draw(plate)
    pen.rectangle((0, 0, plate.width - 1, plate.height - 1), None, edge, edge_width)
    plate.paste(ink, (margin, margin // 2), text)
    return plate


def _panel(face: FaceResult, size: int) -> Image.Image:
    """A row per emotion on a dark plate: its name, a bar, its probability."""
    size = max(TINY_SIZE, round(0.85 * size))
    names = [_writing(name, size) for name in face["emotions"]]
    margin, bar_width, share_width = 1 + size // 3, 5 * size, _writing(">99%", size).width
    row_height = max(name.height for name in names)
    bar_x = margin + max(name.width for name in names) + margin
    width = bar_x + bar_width + margin + share_width + margin
    plate = Image.new("RGBA", (width, len(names) * row_height + margin), SHADE)
    pen = ImageDraw.Draw(plate)
    colors = emotion_colors(list(face["emotions"]))
    pen.line((bar_x - 1, margin, bar_x - 1, plate.height - margin), DIM)
    for row, (name, (emotion, probability)) in enumerate(
        zip(names, face["emotions"].items(), strict=True)
    ):
        y = margin // 2 + row * row_height
        ink = LIGHT if emotion == face["emotion"] else DIM
        plate.paste(ink, (margin, y), name)
        length = round(probability * bar_width)
        if length:
            top, bottom = y + row_height // 4, y + row_height - row_height // 4
            pen.rectangle((bar_x, top, bar_x + length - 1, bottom - 1), colors[emotion])
        share = _writing(confidence_text(probability), size)
        plate.paste(ink, (width - margin - share.width, y), share)
    return plate


def _fitting(
    make: Callable[[FaceResult, int], Image.Image], face: FaceResult, room: tuple[int, int]
) -> Image.Image | None:
    """A plate whose font follows the picture and the face, smaller where it must be; or None."""
    wanted = max(LEAST_SIZE, min(round(min(room) / 40), face["box"][2] // 5))
    for size in range(wanted, TINY_SIZE - 1, -1):
        plate = make(face, size)
        if plate.width <= room[0] and plate.height <= room[1]:
            return plate
    return None


def _place(
    size: tuple[int, int], anchors: Sequence[Box], taken: Sequence[Box], room: tuple[int, int]
) -> tuple[int, int]:
    """Where by its anchors a plate hides least of what is taken; the first anchors come first."""
    around = [spot for anchor in anchors for spot in _spots(size, anchor)]
    spots = np.maximum(0, np.minimum(around, np.subtract(room, size)))
    obstacles = np.asarray(taken)
    low = np.maximum(spots[:, None], obstacles[:, :2])
    high = np.minimum(spots[:, None] + size, obstacles[:, :2] + obstacles[:, 2:])
    hidden = np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)
    x, y = spots[hidden.argmin()].tolist()
    return x, y


def _spots(size: tuple[int, int], box: Box) -> list[tuple[int, int]]:
    """Where a plate can lie by a box, the best first."""
    x, y, width, height = box
    end_x, end_y = x + width - size[0], y + height - size[1]
    left, above = x - GAP - size[0], y - GAP - size[1]
    right, below = x + width + GAP, y + height + GAP
    return [
        *((x, above), (end_x, above)),
        *((right, y), (left, y)),
        *((x, below), (end_x, below)),
        *((right, end_y), (left, end_y)),
    ]


def _draw_box(drawn: Picture, face: FaceResult, room: tuple[int, int]) -> None:
    """A line along the inside of the box, with a dark one on both sides of it."""
    x, y, box_width, box_height = face["box"]
    right, bottom = x + box_width, y + box_height
    width = _line_width(face, room)
    rim = (width + 1) // 2
    _fill_frame(drawn, (x - rim, y - rim, right + rim, bottom + rim), width + 2 * rim, DARK)
    _fill_frame(drawn, (x, y, right, bottom), width, _color(face))
    if not face["uncertain"]:
        return
    dash = 4 * width
    for start in range(x + dash, right, 2 * dash):
        for top in (y, bottom - width):
            _fill(drawn, start, top, min(start + dash, right), top + width, DARK)
    for start in range(y + dash, bottom, 2 * dash):
        for left in (x, right - width):
            _fill(drawn, left, start, left + width, min(start + dash, bottom), DARK)


def _fill_frame(drawn: Picture, edges: tuple[int, int, int, int], width: int, color: str) -> None:
    left, top, right, bottom = edges
    _fill(drawn, left, top, right, top + width, color)
    _fill(drawn, left, bottom - width, right, bottom, color)
    _fill(drawn, left, top, left + width, bottom, color)
    _fill(drawn, right - width, top, right, bottom, color)


def _fill(drawn: Picture, left: int, top: int, right: int, bottom: int, color: str) -> None:
    """Colour what lies in the picture of a rectangle, without its right and bottom edge."""
    corners = (left, top), (right - 1, bottom - 1)
    cv2.rectangle(drawn, *corners, ImageColor.getrgb(color), cv2.FILLED)


def _line_width(face: FaceResult, room: tuple[int, int]) -> int:
    """In pixels; what is small keeps thin lines, so that they do not hide it."""
    return max(1, min(round(min(room) / 250), min(face["box"][2:]) // 24))


def font_for(text: str, size: int) -> Font:
    """Pillow's own font, or for letters outside ASCII, which it lacks, matplotlib's DejaVu Sans.

    That has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic ones.
    """
    return _font(size, text.isascii())


@lru_cache
def _font(size: int, is_ascii: bool) -> Font:
    package = None if is_ascii else find_spec("matplotlib")
    path = Path((package and package.origin) or "").parent / OTHER_FONT
    return ImageFont.truetype(str(path), size) if path.is_file() else ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def _writing(text: str, size: int) -> Image.Image:
    """A line of text as a mask; all lines of a size and font are equally high."""
    font = font_for(text, size)
    left, _, right, _ = font.getbbox(text)
    height = 1 + ceil(font.getbbox("(g|")[3])
    mask = Image.new("L", (max(1, ceil(right - left)), height))
    ImageDraw.Draw(mask).text((-left, 0), text, 255, font=font)
    return mask


def emotion_colors(labels: Sequence[str]) -> dict[str, str]:
    """A colour for every label: those of one's own take what the known ones leave over."""
    free = [color for label, color in COLORS.items() if label not in labels]
    return {label: COLORS.get(label) or (free.pop(0) if free else OTHER_COLOR) for label in labels}


def _color(face: FaceResult) -> str:
    return emotion_colors(list({**face["emotions"], face["emotion"]: 1}))[face["emotion"]]


def _is_bright(color: str) -> bool:
    red, green, blue = ImageColor.getrgb(color)[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue > 100
