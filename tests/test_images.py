import io
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import EpsImagePlugin, Image

from mien import ImageError
from mien.images import MOST_PIXELS, read_image, to_grey, to_rgb, write_image

Frame = NDArray[np.uint8]
#: The tag of a TIFF that tells signed values from others.
SAMPLE_FORMAT = 339
BLUE_BGR = (255, 0, 0)
RED_RGB = (255, 0, 0)


@pytest.fixture
def gradient() -> Frame:
    """RGB (6, 8, 3), all values different."""
    return np.arange(144, dtype=np.uint8).reshape(6, 8, 3)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4), np.bool_), "bool"),
        (np.zeros((0, 0, 3), np.uint8), r"empty.*\(0, 0, 3\)"),
        (np.zeros((0, 5, 3), np.uint8), r"empty.*\(0, 5, 3\)"),
        (np.zeros((5, 0), np.uint8), r"empty.*\(5, 0\)"),
        (np.zeros((4, 4, 5), np.uint8), r"\(4, 4, 5\)"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
        (np.array(7, np.uint8), r"\(\)"),
        (None, "the frame is None, as of a file that can't be read"),
        ([[0, 0], [0, 0]], "list"),
        ("frame.jpg", r"str.*mien\.images\.read_image reads files"),
        (Image.new("RGB", (4, 4)), "Image"),
    ],
)
def test_what_is_no_frame_is_refused_and_named(frame: Any, said: str) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        to_rgb(frame)
    assert isinstance(caught.value, ValueError)
    assert "expected a uint8 array (H, W, 3), (H, W) or (H, W, 4)" in str(caught.value)


@pytest.mark.parametrize("color", ["rgb", "GBR", "", None])
def test_an_unknown_colour_order_is_refused(color: Any, gradient: Frame) -> None:
    with pytest.raises(ImageError, match=f"{color!r}.*'BGR' or 'RGB'"):
        to_rgb(gradient, color)


def test_bgr_is_the_default_and_rgb_is_taken_as_it_is(gradient: Frame) -> None:
    assert np.array_equal(to_rgb(gradient[..., ::-1]), gradient)
    assert np.array_equal(to_rgb(gradient, "RGB"), gradient)


@pytest.mark.parametrize("color", ["BGR", "RGB"])
@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1)])
def test_grey_fills_all_channels(shape: tuple[int, ...], color: str, gradient: Frame) -> None:
    grey = np.ascontiguousarray(gradient[..., 0])
    assert np.array_equal(to_rgb(grey.reshape(shape), color), np.dstack([grey] * 3))


def test_alpha_is_left_out(gradient: Frame) -> None:
    alpha = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert np.array_equal(to_rgb(np.dstack([gradient, alpha]), "RGB"), gradient)
    assert np.array_equal(to_rgb(np.dstack([gradient[..., ::-1], alpha])), gradient)


def test_views_with_any_strides_are_taken(gradient: Frame) -> None:
    view = gradient[::-2, 1::3]
    assert np.array_equal(to_rgb(view, "RGB"), view)
    assert np.array_equal(to_rgb(gradient.transpose(1, 0, 2), "RGB"), gradient.transpose(1, 0, 2))


@pytest.mark.parametrize("color", ["BGR", "RGB"])
def test_read_only_frames_are_taken_and_not_changed(color: str, gradient: Frame) -> None:
    kept = gradient.copy()
    gradient.flags.writeable = False
    assert np.array_equal(to_rgb(gradient, color), kept if color == "RGB" else kept[..., ::-1])
    assert np.array_equal(gradient, kept)


def test_grey_follows_bt_601() -> None:
    colors = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)]], np.uint8)
    assert to_grey(colors).tolist() == [[76, 150, 29, 9]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_that_is_forked_while_a_picture_is_read_can_read(
    tmp_path: Path, gradient: Frame
) -> None:
    write(tmp_path, "picture.png", encoded(Image.fromarray(gradient), "png"))
    code = """
import os, sys, threading
from mien.images import read_image

opened, may_go_on = threading.Event(), threading.Event()

class Slow:
    def __init__(self, path):
        self.file = open(path, "rb")
    def read(self, size=-1):
        opened.set()
        assert may_go_on.wait(60)
        return self.file.read(size)
    def __getattr__(self, name):
        return getattr(self.file, name)

reading = threading.Thread(target=read_image, args=(Slow(sys.argv[1]),))
reading.start()
assert opened.wait(60)
child = os.fork()
if not child:
    os._exit(read_image(sys.argv[1]).shape[2])
may_go_on.set()
reading.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "picture.png")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 3


class Slow(io.BytesIO):
    """A file whose content does not come before it may."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.is_asked, self.may_come = Event(), Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.is_asked.set()
        assert self.may_come.wait(60)
        return super().read(size)


class SlowOnDisk(Slow):
    """The same, of which the decoder itself asks for the content."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.read_bytes())
        self.file = path.open("rb")

    def fileno(self) -> int:
        return self.file.fileno()


def test_reading_leaves_the_warnings_of_a_program_as_they_are(
    tmp_path: Path, gradient: Frame
) -> None:
    slow = SlowOnDisk(write(tmp_path, "a.png", encoded(Image.fromarray(gradient), "png")))
    before = list(warnings.filters)
    with ThreadPoolExecutor(1) as pool, slow.file:
        reading = pool.submit(read_image, slow)
        assert slow.is_asked.wait(60)
        assert warnings.filters == before
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slow.may_come.set()
            reading.result()
    assert warnings.filters == before


def test_a_slow_file_does_not_hold_up_other_threads(tmp_path: Path, gradient: Frame) -> None:
    content = encoded(Image.fromarray(gradient), "png")
    slow = Slow(content)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(read_image, slow)
        assert slow.is_asked.wait(60)
        try:
            read = pool.submit(read_image, write(tmp_path, "a.png", content)).result(timeout=60)
        finally:
            slow.may_come.set()
    np.testing.assert_array_equal(read, gradient)
    np.testing.assert_array_equal(waiting.result(), gradient)


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    path = write(tmp_path, "part", content[: int(share * len(content))])
    with pytest.raises(ImageError, match=r"part: not a whole picture"):
        read_image(path)


def test_a_file_of_a_kind_that_pillow_lacks_is_refused(tmp_path: Path) -> None:
    content = bytearray(encoded(Image.new("RGB", (8, 8)), "DDS"))
    content[80:88] = b"\4\0\0\0none"  # the compression has a name, which nobody knows
    with pytest.raises(NotImplementedError):
        Image.open(io.BytesIO(bytes(content)))
    with pytest.raises(ImageError, match=r"part\.dds: not a whole picture \(Unimplemented"):
        read_image(write(tmp_path, "part.dds", bytes(content)))


@pytest.mark.skipif(os.name == "nt", reason="the interpreter is a script of the shell")
def test_postscript_is_handed_to_no_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = write(tmp_path, "gs", b'#!/bin/sh\ntouch "$(dirname "$0")/started"\nexit 1\n')
    interpreter.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # it is looked for once
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(ImageError, match=r"photo\.jpg: not a whole picture or of a format that"):
        read_image(write(tmp_path, "photo.jpg", content))
    assert not (tmp_path / "started").exists()


def test_text_named_as_a_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"text\.png: not a whole picture"):
        read_image(write(tmp_path, "text.png", b"no picture at all\n"))


def test_a_file_that_was_read_before_is_read_from_its_beginning(
    tmp_path: Path, gradient: Frame
) -> None:
    content = encoded(Image.fromarray(gradient), "png")
    with write(tmp_path, "a.png", content).open("rb") as on_disk:
        for file in (io.BytesIO(content), on_disk):
            file.read(20)
            np.testing.assert_array_equal(read_image(file), gradient)


def test_open_files_are_read(tmp_path: Path, gradient: Frame) -> None:
    content = encoded(Image.fromarray(gradient), "png")
    np.testing.assert_array_equal(read_image(io.BytesIO(content)), gradient)
    with write(tmp_path, "a.png", content).open("rb") as file:
        np.testing.assert_array_equal(read_image(file), gradient)
    with pytest.raises(ImageError, match=r"^the picture: not a whole picture or of a format that"):
        read_image(io.BytesIO(b"an upload"))
    with pytest.raises(ImageError, match=r"a bytes came, expected .* io\.BytesIO"):
        read_image(content)  # type: ignore[arg-type]


def test_of_a_file_on_the_disk_no_more_is_read_than_tells_what_it_is(tmp_path: Path) -> None:
    with (tmp_path / "film.mp4").open("w+b") as file:
        file.truncate(3_000_000_000)
        with pytest.raises(ImageError, match="not a whole picture or of a format that mien does"):
            read_image(file)
        assert file.tell() < 1_000_000


def test_a_lack_of_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks_memory(*_: object) -> None:
        raise MemoryError

    path = write(tmp_path, "a.png", encoded(Image.new("RGB", (8, 8)), "PNG"))
    monkeypatch.setattr(Image.Image, "convert", lacks_memory)
    with pytest.raises(MemoryError, match=r"a\.png"):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "size"), [("a.blp", (2, 2)), ("a.h5", (2, 2)), ("a.webp", (1, 20_000))]
)
def test_what_a_format_does_not_take_is_told(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    with pytest.raises(ImageError, match=rf"{name}: can't be written as \w+ \(.+\)"):
        write_image(tmp_path / name, np.zeros((*size, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_be_written_is_no_wrong_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        write_image(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image("")
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="a folder, expected a picture"):
        read_image(tmp_path)


def test_a_folder_is_told_where_the_system_calls_it_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: Any) -> Any:  # as Windows does
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ImageError, match="a folder, expected a picture"):
        read_image(tmp_path)


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"xxx: can't be read \(File name too long\)$"):
        read_image(tmp_path / ("x" * 300))


def empty_png(width: int, height: int) -> bytes:
    """A one-bit PNG whose header tells of a size, without any pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [20_000, 12_000, int(MOST_PIXELS**0.5) + 1])
def test_a_picture_that_is_too_large_is_refused_undecoded(side: int, tmp_path: Path) -> None:
    path = write(tmp_path, "large.png", empty_png(side, side))  # decoding it would say "not whole"
    with pytest.raises(ImageError, match=r"large\.png: (too large|.*at most 100 million)"):
        read_image(path)


def test_sixteen_bits_take_little_more_memory_than_eight(tmp_path: Path) -> None:
    peaks = []
    for kind in (np.uint8, np.uint16):
        cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((1000, 1000), kind))
        read_image(tmp_path / "grey.png")  # loads what is loaded once
        tracemalloc.start()
        read_image(tmp_path / "grey.png")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    eight, sixteen = peaks
    assert sixteen < eight + 5_000_000


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256], [32768, 65279, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    assert read_image(tmp_path / "deep.png")[..., 0].tolist() == [[0, 0, 1], [128, 254, 255]]
    assert read_image(tmp_path / "deep.png").shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("name", "mode", "settings"),
    [
        ("deep.tif", "I;16", {}),
        ("signed.tif", "I", {"tiffinfo": {SAMPLE_FORMAT: 2}}),
        ("deep.pgm", "I", {}),
    ],
)
def test_sixteen_bits_become_eight_however_pillow_has_them(
    name: str, mode: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    Image.fromarray(np.array([[0, 256], [8192, 32767]], np.uint16)).save(
        tmp_path / name, **settings
    )
    with Image.open(tmp_path / name) as image:
        assert image.mode == mode
    assert read_image(tmp_path / name)[..., 0].tolist() == [[0, 1], [32, 127]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[0, 0.5, 1]], np.float32), "floats"),
        (np.array([[0, 128, 255]], np.int32), "integers of 32 bits"),
    ],
)
def test_values_of_32_bits_are_refused(
    values: NDArray[np.generic], said: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "deep.tif", encoded(Image.fromarray(values), "TIFF"))
    with pytest.raises(ImageError, match=rf"deep\.tif: its values are {said}, expected 8 or 16"):
        read_image(path)


def test_sixteen_bit_colour_becomes_eight(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((2, 3, 3), (0, 0x8040, 0xFF80), np.uint16))
    assert (read_image(tmp_path / "deep.png") == (0xFF, 0x80, 0)).all()


def test_cmyk_is_converted(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow ink make red
    colors = read_image(write(tmp_path, "print.jpg", encoded(image, "JPEG")))
    assert np.abs(colors.astype(int) - RED_RGB).max() < 10


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
def test_a_palette_with_transparency_keeps_its_colours(
    transparency: int | bytes, tmp_path: Path
) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    path = write(tmp_path, "palette.png", encoded(image, "PNG", transparency=transparency))
    assert read_image(path).tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA"])
def test_other_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    path = write(tmp_path, "white.png", encoded(Image.new("L", (5, 4), 255).convert(mode), "PNG"))
    assert np.array_equal(read_image(path), np.full((4, 5, 3), 255))


ORIENTATION = 0x0112


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)),
        (2, (0, -1)),
        (3, (-1, -1)),
        (4, (-1, 0)),
        (5, (0, 0)),
        (6, (0, -1)),
        (7, (-1, -1)),
        (8, (-1, 0)),
    ],
)
def test_pictures_are_turned_upright(
    orientation: int, corner: tuple[int, int], tmp_path: Path
) -> None:
    image = Image.new("RGB", (48, 32))
    image.paste((255, 255, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    upright = read_image(write(tmp_path, "turned.jpg", encoded(image, "JPEG", exif=exif)))
    assert upright.shape == ((48, 32, 3) if orientation >= 5 else (32, 48, 3))
    assert [upright[y, x, 0] > 250 for y in (0, -1) for x in (0, -1)] == [
        (y, x) == corner for y in (0, -1) for x in (0, -1)
    ]


def test_a_damaged_exif_entry_does_not_spoil_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010F] = "maker"
    content = encoded(Image.new("RGB", (48, 32)), "JPEG", exif=exif)
    # The maker's entry becomes one of the image's width, which is then a text.
    damaged = content.replace(b"\x01\x0f\x00\x02", b"\x01\x00\x00\x02")
    assert damaged != content
    assert read_image(write(tmp_path, "turned.jpg", damaged)).shape == (48, 32, 3)


@pytest.mark.parametrize("exif", [b"II*\0", b"MM", b"II*\0\xff\xff\xff\x7f"])
def test_exif_that_ends_too_early_does_not_spoil_the_picture(exif: bytes, tmp_path: Path) -> None:
    plain = encoded(Image.new("RGB", (48, 32)), "PNG")
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    place = plain.index(b"IDAT") - 4
    content = plain[:place] + chunk + plain[place:]
    assert read_image(write(tmp_path, "photo.png", content)).shape == (32, 48, 3)
