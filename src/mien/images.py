"""Pictures as they come in: arrays are checked, files are decoded."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from mien.errors import ImageError
from mien.files import replacing

#: Files with more pixels are refused before they are decoded (100 million: 300 MB as RGB).
MOST_PIXELS = 100_000_000

COLORS = ("BGR", "RGB")

#: Pillow hands PostScript to an interpreter, a program of its own: nothing for a stranger's file.
REFUSED_FORMATS = {"EPS"}

#: Formats whose pictures have 16 bits where Pillow makes integers of them, and the tag that tells
#: how many they have in a TIFF.
FORMATS_OF_16_BITS = {"PNG", "PPM"}
TIFF_BITS = 258

#: What makes a picture upright, by its EXIF orientation. Pillow's own way writes the EXIF anew,
#: which fails where it is damaged.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(frame: Any, color: str = "BGR") -> NDArray[np.uint8]:
    """Check a frame and return it as RGB (H, W, 3); it may be the frame itself.

    Args:
        frame: uint8 (H, W, 3), (H, W) grey, (H, W, 1) grey or (H, W, 4) with alpha.
        color: the order of the frame's channels, "BGR" or "RGB".

    Raises:
        ImageError: the frame is something else; the message says what came.
    """
    check_color(color)
    check_frame(frame)
    frame = np.ascontiguousarray(frame)
    if frame.ndim == 2 or frame.shape[2] == 1:
        code = cv2.COLOR_GRAY2RGB
    elif frame.shape[2] == 4:
        code = cv2.COLOR_BGRA2RGB if color == "BGR" else cv2.COLOR_RGBA2RGB
    elif color == "BGR":
        code = cv2.COLOR_BGR2RGB
    else:
        return np.asarray(frame, dtype=np.uint8)
    return np.asarray(cv2.cvtColor(frame, code), dtype=np.uint8)


def to_grey(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey (H, W) from RGB (H, W, 3), by ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def check_frame(frame: Any) -> None:
    """Raise ImageError unless `frame` is an image as OpenCV has it."""
    wanted = "expected a uint8 array (H, W, 3), (H, W) or (H, W, 4)"
    if frame is None:
        raise ImageError(f"the frame is None, as of a file that can't be read, {wanted}")
    if not isinstance(frame, np.ndarray):
        raise ImageError(
            f"the frame is a {type(frame).__name__}, {wanted}; mien.images.read_image reads files"
        )
    if frame.dtype != np.uint8:
        raise ImageError(f"the frame's values are {frame.dtype}, {wanted}")
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (1, 3, 4)):
        raise ImageError(f"the frame's shape is {frame.shape}, {wanted}")
    if frame.size == 0:
        raise ImageError(f"the frame is empty, its shape is {frame.shape}, {wanted}")


def check_rgb(picture: Any) -> None:
    """Raise ImageError unless `picture` is a uint8 array (H, W, 3)."""
    check_frame(picture)
    if picture.shape[2:] != (3,):
        raise ImageError(f"the picture's shape is {picture.shape}, expected (H, W, 3)")


def check_color(color: str) -> None:
    """Raise ImageError unless `color` is one of `COLORS`."""
    if color not in COLORS:
        raise ImageError(f"the colour order is {color!r}, expected 'BGR' or 'RGB'")


def read_image(file: str | Path | BinaryIO) -> NDArray[np.uint8]:
    """Decode a picture file, upright by its EXIF orientation, as RGB (H, W, 3).

    16-bit and CMYK files are converted; alpha is left out. Floats and integers of 32 bits are
    refused: files don't tell which of them is white.

    Args:
        file: its path, or a file that is open, as `io.BytesIO(content)`.

    Raises:
        ImageError: there is no such file, it is no whole picture, too large, or of 32 bits.
        MemoryError: there is too little memory for it; the message is the path.
    """
    path = file if isinstance(file, str | Path) else "the picture"
    if not isinstance(file, str | Path) and not hasattr(file, "read"):
        raise ImageError(
            f"a {type(file).__name__} came, expected a path or an open file, as io.BytesIO(content)"
        )
    try:
        with _opened(file) as content, Image.open(content, formats=_formats()) as image:
            _check_size(path, image)
            _check_depth(path, image)
            return _decode(image)
    except ImageError:
        raise
    except MemoryError as error:
        raise MemoryError(str(path)) from error
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: a folder, expected a picture") from None
    except PermissionError as error:
        if isinstance(file, str | Path) and Path(file).is_dir():  # as Windows says it
            raise ImageError(f"{path}: a folder, expected a picture") from None
        raise ImageError(f"{path}: may not be read ({error.strerror})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path}: too large ({error})") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path}: not a whole picture or of a format that mien does not read"
        ) from error
    except Exception as error:  # of damaged files, Pillow's decoders raise whatever happens
        if reason := getattr(error, "strerror", None):  # the system's: of the name, or the disk
            raise ImageError(f"{path}: can't be read ({reason})") from error
        reason = str(error) or type(error).__name__
        raise ImageError(f"{path}: not a whole picture ({reason})") from error


def write_image(path: str | Path, image_rgb: NDArray[np.uint8]) -> None:
    """Write RGB (H, W, 3) in the format of the path's ending.

    Raises:
        ImageError: there is no such format, or the picture can't be written in it.
        OSError: the file can't be written.
    """
    path = Path(path)
    picture_format = format_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path) as part:
            Image.fromarray(image_rgb).save(part, picture_format)
    except Exception as error:  # Pillow's encoders too raise whatever happens
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise
        raise ImageError(f"{path}: can't be written as {picture_format} ({error})") from error


def format_of(path: Path) -> str:
    """The format that a picture of this name is written in.

    Raises:
        ImageError: there is no such format.
    """
    name = Image.registered_extensions().get(path.suffix.lower())
    if name is None or name not in Image.SAVE:
        raise ImageError(f"{path}: no picture format has this ending, expected .png or .jpg, say")
    return name


@contextmanager
def _opened(file: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    """A file on the disk as it is, or the content of what may come bit by bit."""
    if isinstance(file, str | Path):
        with open(file, "rb") as opened:  # noqa: PTH123 - an empty path would be the folder here
            if stat.S_ISCHR(os.fstat(opened.fileno()).st_mode):  # it may never end
                raise ImageError(f"{file}: a device, expected a picture")
            yield opened if _is_on_disk(opened) else io.BytesIO(opened.read())
    elif _is_on_disk(file):
        yield file
    else:
        with suppress(AttributeError, io.UnsupportedOperation):
            file.seek(0)
        yield io.BytesIO(file.read())


def _is_on_disk(file: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (AttributeError, OSError):  # it has no number
        return False


def _formats() -> list[str]:
    """What pictures may be in, with the formats that a program has added to Pillow's."""
    Image.init()
    return [name for name in Image.ID if name not in REFUSED_FORMATS]


def _check_size(path: str | Path, image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(
            f"{path}: {image.width} x {image.height} pixels, expected at most "
            f"{MOST_PIXELS // 1_000_000} million"
        )


def _check_depth(path: str | Path, image: Image.Image) -> None:
    bits = getattr(image, "tag_v2", {}).get(TIFF_BITS)
    is_of_16_bits = image.format in FORMATS_OF_16_BITS or bits == (16,)
    if image.mode == "F" or (image.mode == "I" and not is_of_16_bits):
        values = "floats" if image.mode == "F" else "integers of 32 bits"
        raise ImageError(f"{path}: its values are {values}, expected 8 or 16 bits")


def _decode(image: Image.Image) -> NDArray[np.uint8]:
    image.load()
    image.info.pop("transparency", None)  # alpha is left out
    turn = TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I"):  # 16 bit a pixel, whatever the byte order
        values = np.asarray(image).clip(0, 65535)
        image = Image.fromarray((values >> 8).astype(np.uint8))
    return np.array(image.convert("RGB"), dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    """By its EXIF; upright, 1, if there is none, or a damaged one."""
    try:
        orientation: int = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return orientation
