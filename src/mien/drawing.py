"""Results drawn on a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mien.results import FaceResult, confidence_text

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
DARK, LIGHT = "#000000", "#FFFFFF"


def draw_faces(image_rgb: NDArray[np.uint8], faces: Sequence[FaceResult]) -> NDArray[np.uint8]:
    """A new picture (H, W, 3) with a box and a line of text a face.

    An uncertain answer has a broken box and a question mark. Sizes follow the picture's.
    """
    picture = Image.fromarray(image_rgb)
    pen = ImageDraw.Draw(picture)
    unit = max(1, round(min(picture.size) / 250))  # width of a line, in pixels
    order = list(reversed(faces))  # the largest is drawn last, on top
    for face in order:
        _draw_box(pen, face, unit)
    for face in order:
        _draw_label(pen, face, unit, picture.size)
    return np.array(picture)


def label_text(face: FaceResult) -> str:
    """Emotion and confidence in a few words."""
    doubt = " ?" if face["uncertain"] else ""
    return f"{face['emotion']} {confidence_text(face['confidence'])}{doubt}"


def _draw_box(pen: ImageDraw.ImageDraw, face: FaceResult, unit: int) -> None:
    left, top, width, height = face["box"]
    right, bottom = left + width - 1, top + height - 1
    pen.rectangle((left - unit, top - unit, right + unit, bottom + unit), None, DARK, 3 * unit)
    pen.rectangle((left, top, right, bottom), None, _color(face), unit)
    if not face["uncertain"]:
        return
    dash = 4 * unit
    for start in range(left + dash, right, 2 * dash):
        for y in (top, bottom - unit + 1):
            pen.rectangle((start, y, min(start + dash, right), y + unit - 1), DARK)
    for start in range(top + dash, bottom, 2 * dash):
        for x in (left, right - unit + 1):
            pen.rectangle((x, start, x + unit - 1, min(start + dash, bottom)), DARK)


def _draw_label(
    pen: ImageDraw.ImageDraw, face: FaceResult, unit: int, size: tuple[int, int]
) -> None:
    """Text on a plate in the emotion's colour: above the box, or inside where there is no room."""
    text, color = label_text(face), _color(face)
    font = ImageFont.load_default(size=max(11, 6 * unit))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right - left + 4 * unit, bottom - top + 4 * unit
    x = max(0, min(face["box"][0] - unit, size[0] - width))
    y = face["box"][1] - height - unit
    y = face["box"][1] if y < 0 else y
    pen.rectangle((x, y, x + width, y + height), color, DARK, 1)
    ink = DARK if _is_bright(color) else LIGHT
    pen.text((x + 2 * unit - left, y + 2 * unit - top), text, ink, font=font)


def _color(face: FaceResult) -> str:
    return COLORS.get(face["emotion"], OTHER_COLOR)


def _is_bright(color: str) -> bool:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 110
