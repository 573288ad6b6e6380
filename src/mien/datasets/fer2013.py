"""The pixels of FER-2013, row by row, from the file as people have it."""

import csv
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError

SIDE = 48
TABLE_NAMES = ("fer2013.csv", "icml_face_data.csv")


class PixelRow(NamedTuple):
    """One row of FER-2013: the line it stands in, its part of the data set, uint8 (48, 48)."""

    line: int
    usage: str
    pixels: NDArray[np.uint8]


def read_pixel_rows(path: Path) -> Iterator[PixelRow]:
    """Read `fer2013.csv` or `icml_face_data.csv`, plain or in .xz, .gz, .zip or .tar.gz.

    Rows come as they are read: the table is never in memory as a whole.

    Raises:
        DataError: the file can't be read, lacks a column, or a row's pixels are not 2,304
            numbers from 0 to 255.
    """
    try:
        with (
            _open_table(path) as binary,
            io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text,
        ):
            yield from _rows(path, text)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (
        OSError,
        EOFError,
        UnicodeDecodeError,
        csv.Error,
        lzma.LZMAError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,  # a zip file under a password, or of a kind unknown to zipfile
    ) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: damaged, or not what its name says ({reason})") from error


def _rows(path: Path, text: io.TextIOWrapper) -> Iterator[PixelRow]:
    reader = csv.reader(text)
    header = [name.strip().lower() for name in next(reader, [])]
    if "pixels" not in header or "usage" not in header:
        raise DataError(
            f"{path}, line 1: the header is {','.join(header)[:80]!r}, "
            "expected the columns emotion, pixels and Usage"
        )
    pixels_column, usage_column = header.index("pixels"), header.index("usage")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {reader.line_num}: {len(cells)} columns, expected {len(header)}"
            )
        where = f"{path}, line {reader.line_num}"
        yield PixelRow(
            reader.line_num, cells[usage_column].strip(), _pixels(where, cells[pixels_column])
        )


def _pixels(where: str, text: str) -> NDArray[np.uint8]:
    values = text.split()
    if len(values) != SIDE * SIDE:
        raise DataError(f"{where}: {len(values)} pixels, expected {SIDE * SIDE} ({SIDE} x {SIDE})")
    try:
        return np.frombuffer(bytes(map(int, values)), dtype=np.uint8).reshape(SIDE, SIDE)
    except ValueError:
        wrong = next(v for v in values if not re.fullmatch("[0-9]{1,3}", v) or int(v) > 255)
        raise DataError(f"{where}: pixel {wrong[:20]!r} is no whole number from 0 to 255") from None


@contextmanager
def _open_table(path: Path) -> Iterator[IO[bytes]]:
    name = path.name.lower()
    with ExitStack() as stack:
        if name.endswith((".tar.gz", ".tgz", ".tar")):
            archive = stack.enter_context(tarfile.open(path))
            members = [member.name for member in archive.getmembers() if member.isfile()]
            file = archive.extractfile(_table_member(path, members))
            assert file is not None  # a regular file always opens
            yield file
            assert archive.fileobj is not None
            while archive.fileobj.read(1 << 20):  # to the end, where gzip's checksum stands
                pass
        elif name.endswith(".zip"):
            bundle = stack.enter_context(zipfile.ZipFile(path))
            yield stack.enter_context(bundle.open(_table_member(path, bundle.namelist())))
        elif name.endswith(".xz"):
            yield stack.enter_context(lzma.open(path))
        elif name.endswith(".gz"):
            yield cast(IO[bytes], stack.enter_context(gzip.open(path)))
        else:
            yield stack.enter_context(path.open("rb"))


def _table_member(path: Path, names: list[str]) -> str:
    """The one table in an archive: by its name, or the only CSV file."""
    tables = [name for name in names if PurePosixPath(name).name in TABLE_NAMES]
    tables = tables or [name for name in names if name.endswith(".csv")]
    if len(tables) != 1:
        raise DataError(
            f"{path}: holds {len(tables)} tables, expected one {' or '.join(TABLE_NAMES)}"
        )
    return tables[0]
