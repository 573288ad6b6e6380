"""A picture of some faces of every class."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.drawing import font_for

#: Pixels: the side of a face, the space around it, the width of the names, the text's height.
SIDE, SPACE, NAME_WIDTH, TEXT_HEIGHT = 96, 4, 150, 16
PAPER, INK = "#FFFFFF", "#000000"


def contact_sheet(rows: Mapping[str, Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """A row per class, RGB (H, W, 3): its name, and its faces as they are, scaled to one size.

    Args:
        rows: the faces of every class, each (H, W) grey or (H, W, 3) RGB; a name may have lines.
    """
    columns = max(map(len, rows.values()), default=0)
    width = NAME_WIDTH + columns * (SIDE + SPACE) + SPACE
    sheet = Image.new("RGB", (width, len(rows) * (SIDE + SPACE) + SPACE), PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, (name, faces) in enumerate(rows.items()):
        top = SPACE + row * (SIDE + SPACE)
        pen.multiline_text((SPACE, top), name, INK, font=font_for(name, TEXT_HEIGHT))
        for column, face in enumerate(faces):
            scale = SIDE / max(face.shape[:2])
            size = max(1, round(face.shape[1] * scale)), max(1, round(face.shape[0] * scale))
            picture = Image.fromarray(face).resize(size, Image.Resampling.LANCZOS)
            sheet.paste(picture, (NAME_WIDTH + column * (SIDE + SPACE), top))
    return np.asarray(sheet)
