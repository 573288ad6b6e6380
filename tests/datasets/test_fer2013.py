import gzip
import io
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.datasets.fer2013 import read_pixel_rows
from mien.errors import DataError

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
FACES[0, 0, :2] = [0, 255]
USAGES = ["Training", "PublicTest", "PrivateTest"]
HEADER = "emotion,pixels,Usage"


def pixels(face: int = 0) -> str:
    return " ".join(map(str, FACES[face].flatten()))


def table(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def changed(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value]) + content[at:][1:]


PLAIN = table(*(f"{n},{pixels(n)},{usage}" for n, usage in enumerate(USAGES)))
KAGGLE = table(
    *(f"{n}, {usage}, {pixels(n)}" for n, usage in enumerate(USAGES)),
    header="emotion, Usage, pixels",
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fer2013.csv", PLAIN),
        ("icml_face_data.csv", KAGGLE),
        ("with a mark and CRLF.csv", b"\xef\xbb\xbf" + PLAIN.replace(b"\n", b"\r\n")),
        ("with empty lines.csv", PLAIN.replace(b"\n", b"\n\n")),
        ("FER2013.CSV", PLAIN),
        ("fer2013.csv.xz", lzma.compress(PLAIN)),
        ("fer2013.csv.gz", gzip.compress(PLAIN)),
        ("fer2013.zip", zipped({"fer2013.csv": PLAIN})),
        ("fer2013.zip", zipped({"some table.csv": PLAIN, "README": b""})),
        ("archive.zip", zipped({"test.csv": b"1", "icml_face_data.csv": KAGGLE, "a.csv": b"2"})),
        ("archive.zip", zipped({"data/fer2013.csv": PLAIN, "__MACOSX/._fer2013.csv": b"1"})),
        ("fer2013.tar.gz", tarred({"fer2013/README": b"1", "fer2013/fer2013.csv": PLAIN})),
        ("fer2013.tgz", tarred({"fer2013.csv": PLAIN})),
        ("fer2013.tar", gzip.decompress(tarred({"fer2013.csv": PLAIN}))),
    ],
)
def test_rows_are_read_from_every_form_of_the_table(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    rows = list(read_pixel_rows(tmp_path / name))
    assert [row.usage for row in rows] == USAGES
    np.testing.assert_array_equal([row.pixels for row in rows], FACES)


def test_rows_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(table(f"0,{pixels()},Training", "", f"0,{pixels()},Training"))
    assert [row.line for row in read_pixel_rows(path)] == [2, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the header is '', expected the columns emotion, pixels and Usage"),
        (table(header="a,b,c"), "line 1: the header is 'a,b,c', expected the columns"),
        (table(header="emotion,pixels"), "line 1: the header is 'emotion,pixels', expected"),
        (table(f"0,{pixels()}"), "line 2: 2 columns, expected 3"),
        (table(f"0,{pixels()},Training,1"), "line 2: 4 columns, expected 3"),
        (table(f"0,{pixels()[:-4]},Training"), "line 2: 2303 pixels, expected 2304 (48 x 48)"),
        (table(f"0,{pixels()} 7,Training"), "line 2: 2305 pixels, expected 2304 (48 x 48)"),
        (table("0,,Training"), "line 2: 0 pixels, expected 2304 (48 x 48)"),
    ],
)
def test_a_row_of_another_form_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}, {message}")):
        list(read_pixel_rows(path))


@pytest.mark.parametrize("pixel", ["256", "-1", "x", "1.0", "²", "9" * 5000])
def test_a_wrong_pixel_is_named(tmp_path: Path, pixel: str) -> None:
    path = tmp_path / "fer2013.csv"
    wrong = " ".join([*pixels().split()[:-1], pixel])
    path.write_bytes(table(f"0,{pixels()},Training", f"0,{wrong},Training"))
    with pytest.raises(DataError, match=r"fer2013\.csv, line 3: pixel .* from 0 to 255"):
        list(read_pixel_rows(path))


STORED = zipped({"fer2013.csv": PLAIN}, zipfile.ZIP_STORED)
ENTRY = STORED.find(b"PK\1\2")  # of the file, in the list at the end
DAMAGED = {
    "no xz": ("fer2013.csv.xz", PLAIN),
    "no gz": ("fer2013.csv.gz", PLAIN),
    "no zip": ("fer2013.zip", PLAIN),
    "no tar": ("fer2013.tar.gz", PLAIN),
    "no text": ("fer2013.csv", lzma.compress(PLAIN)),
    "empty tar": ("fer2013.tar.gz", b""),
    "half an xz": ("fer2013.csv.xz", lzma.compress(PLAIN)[:3000]),
    "half a gz": ("fer2013.csv.gz", gzip.compress(PLAIN)[:3000]),
    "half a zip": ("fer2013.zip", zipped({"fer2013.csv": PLAIN})[:3000]),
    "half a tar": ("fer2013.tar.gz", tarred({"fer2013.csv": PLAIN})[:3000]),
    "a changed gz": ("fer2013.csv.gz", changed(gzip.compress(PLAIN), -8, 0)),
    "a changed zip": ("fer2013.zip", changed(STORED, STORED.find(b"0 255 "), ord("1"))),
    "a changed tar": ("fer2013.tar.gz", changed(tarred({"fer2013.csv": PLAIN}), -8, 0)),
    "a locked zip": ("fer2013.zip", changed(changed(STORED, 6, 1), ENTRY + 8, 1)),
    "a zip of another method": ("fer2013.zip", changed(changed(STORED, 8, 9), ENTRY + 10, 9)),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_said_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_pixel_rows(path))
    assert str(caught.value).startswith(f"{path}: damaged, or not what its name says (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"README": b""}, 0),
        ({"fer2013.csv": PLAIN, "icml_face_data.csv": KAGGLE}, 2),
        ({"a.csv": PLAIN, "b.csv": PLAIN}, 2),
    ],
)
def test_an_archive_holds_one_table(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes], files: dict[str, bytes], count: int
) -> None:
    path = tmp_path / ("fer2013.zip" if pack is zipped else "fer2013.tar.gz")
    path.write_bytes(pack(files))
    with pytest.raises(DataError, match=rf"{path}: holds {count} tables, expected one fer2013"):
        list(read_pixel_rows(path))


@pytest.mark.parametrize("name", ["fer2013.csv", "a.csv.xz", "a.csv.gz", "a.zip", "a.tar.gz"])
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(DataError, match=f"{path}: no such file"):
        list(read_pixel_rows(path))
    path.mkdir()
    with pytest.raises(DataError, match=f"{path}: .*Is a directory"):
        list(read_pixel_rows(path))


@pytest.mark.parametrize("pack", [bytes, lzma.compress, gzip.compress])
def test_rows_come_as_they_are_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / {bytes: "t.csv", lzma.compress: "t.csv.xz", gzip.compress: "t.csv.gz"}[pack]
    path.write_bytes(pack(table(f"0,{pixels(1)},Training", "0,broken,Training")))
    rows = read_pixel_rows(path)
    np.testing.assert_array_equal(next(rows).pixels, FACES[1])
    with pytest.raises(DataError, match="line 3"):
        next(rows)
