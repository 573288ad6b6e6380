"""Records of a stream or of pictures as tables: CSV, JSON Lines, Parquet; written as they come.

One row per face and analysed frame or picture, and one row for one without a face, so that none is
lost. The columns are those of `columns` and `picture_columns`.
"""

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, cast

from mien.errors import ConfigError
from mien.files import check_no_folder, part_of
from mien.results import FaceResult, TrackedFace, check_boxes, check_emotions
from mien.streaming import StreamFrame

Row = dict[str, Any]

FACE_COLUMNS = (
    *("track_id", "x", "y", "width", "height", "face_confidence", "emotion", "confidence"),
    *("uncertainty", "face_likeness", "uncertain", "candidates"),
)
#: What stands between the names of several candidates.
SEPARATOR = "|"
#: Rows that are gathered before Parquet writes them.
ROWS_A_GROUP = 1000
#: Bytes that Parquet takes at most for a value, for a character besides, for a column of a group.
VALUE_BYTES, CHARACTER_BYTES, COLUMN_BYTES = 10, 4, 512


def columns(labels: Sequence[str], is_smoothed: bool) -> list[str]:
    """The names of the columns, in their order."""
    raw = [f"raw_{label}" for label in labels] if is_smoothed else []
    return ["frame", "time_s", *FACE_COLUMNS, *(f"p_{label}" for label in labels), *raw]


def picture_columns(labels: Sequence[str]) -> list[str]:
    """The names of the columns of a table of pictures, in their order."""
    return ["image", *FACE_COLUMNS[1:], *(f"p_{label}" for label in labels)]


def _cells(face: FaceResult) -> Row:
    box = dict(zip(("x", "y", "width", "height"), face["box"], strict=True))
    same = {name: face.get(name) for name in FACE_COLUMNS if name not in box}
    raw = cast("TrackedFace", face).get("raw_emotions", {})
    return {
        **same,
        **box,
        "candidates": list(face["candidates"]),
        **{f"p_{label}": value for label, value in face["emotions"].items()},
        **{f"raw_{label}": value for label, value in raw.items()},
    }


def _without_lists(table_rows: list[Row]) -> list[Row]:
    """Rows for a format without lists, which are joined by `SEPARATOR`."""
    return [
        {
            name: SEPARATOR.join(value) if isinstance(value, list) else value
            for name, value in row.items()
        }
        for row in table_rows
    ]


class Table(ABC):
    """A table that grows a frame or a picture at a time.

    Args:
        path: the file; it is written anew.
        columns: the names of its columns.
        labels: the emotions that the model tells apart.
    """

    _file: io.FileIO

    def __init__(self, path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
        self.path, self._columns, self._labels = path, list(columns), labels
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, frame: StreamFrame) -> None:
        """Add the rows of a frame.

        Raises:
            ConfigError: it is no frame of a stream, the table is of pictures or closed, or a face
                tells other emotions apart than the table.
            OSError: the file can't be written to; what was written before stays.
        """
        if not isinstance(frame, StreamFrame):
            raise ConfigError(f"a {type(frame).__name__} came, expected a frame of 'stream'")
        self._add({"frame": frame.number, "time_s": round(frame.time_s, 6)}, frame.faces)

    def write_picture(self, image: str | Path, faces: Iterable[FaceResult]) -> None:
        """Add the rows of a picture, `image` being its name; raises what `write` raises."""
        name = str(image).encode(errors="backslashreplace").decode()  # a file's may not be Unicode
        self._add({"image": name}, faces)

    def _add(self, place: Row, faces: Iterable[FaceResult]) -> None:
        """A row per face; a cell without a value is None."""
        if self._file.closed:
            raise ConfigError(f"{self.path}: rows came after the table was closed")
        if not place.keys() <= set(self._columns):
            raise ConfigError(f"{self.path}: has no columns {', '.join(place)}")
        faces = list(faces)
        check_boxes(faces)
        check_emotions(faces, self._labels, "table")
        every = [place | cells for cells in [_cells(face) for face in faces] or [{}]]
        self._write([{name: row.get(name) for name in self._columns} for row in every])

    @abstractmethod
    def _write(self, table_rows: list[Row]) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()


def check_table_path(path: Path) -> None:
    """Raise ConfigError if no table of that name can be written."""
    check_no_folder(path)
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: a table's name ends in one of {', '.join(FORMATS)}")
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("Parquet needs pyarrow, which is missing: pip install 'mien[parquet]'")


def open_table(path: str | Path, labels: Sequence[str], is_smoothed: bool = True) -> Table:
    """A table of a stream, in the format of the path's ending: .csv, .jsonl or .parquet.

    Args:
        path: the file; it is written anew.
        labels: the emotions that the model tells apart.
        is_smoothed: whether unsmoothed probabilities have columns too.

    Raises:
        ConfigError: there is no such format, or a package for it is missing.
        OSError: the file can't be written.
    """
    return _opened(Path(path), columns(labels, is_smoothed), labels)


def open_picture_table(path: str | Path, labels: Sequence[str]) -> Table:
    """As `open_table`, for pictures that have nothing to do with one another."""
    return _opened(Path(path), picture_columns(labels), labels)


def _opened(path: Path, names: Sequence[str], labels: Sequence[str]) -> Table:
    check_table_path(path)
    return FORMATS[path.suffix.lower()](path, names, labels)


def _write_all(file: io.FileIO, content: bytes) -> None:
    """Write to an unbuffered file, which may take less than it is given at once."""
    while content:
        content = content[file.write(content) :]


class TextTable(Table):
    """A table that can be read at any time: on a full disk it ends after a whole frame."""

    def __init__(self, path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
        super().__init__(path, columns, labels)
        self._file = path.open("wb", buffering=0)
        self._length = 0

    def _append(self, text: str) -> None:
        content = text.encode()
        try:
            _write_all(self._file, content)
        except OSError as error:
            with suppress(OSError):  # a device has no length
                self._file.truncate(self._length)
                self._file.seek(self._length)
            raise OSError(f"{self.path}: can't be written to ({error.strerror})") from error
        self._length += len(content)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class CsvTable(TextTable):
    """Comma-separated values with a head; lists are joined by `SEPARATOR`."""

    def __init__(self, path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
        super().__init__(path, columns, labels)
        try:
            self._write([{name: name for name in columns}])
        except OSError:
            self.close()
            raise

    def _write(self, table_rows: list[Row]) -> None:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns).writerows(_without_lists(table_rows))
        self._append(text.getvalue())


class JsonLinesTable(TextTable):
    """One JSON object a row and line; candidates are a list."""

    def _write(self, table_rows: list[Row]) -> None:
        self._append("".join(json.dumps(row) + "\n" for row in table_rows))


class ParquetTable(Table):
    """Parquet, written in groups of rows as NAME.part; it takes its name when it is closed.

    Lists are joined by `SEPARATOR`. The index comes last. As much room as every row and the index
    may need is taken before the row is, so that on a full disk the file can still be closed with
    all rows before.
    """

    def __init__(self, path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
        super().__init__(path, columns, labels)
        import pyarrow
        import pyarrow.parquet

        kinds: dict[str, Any] = {
            **dict.fromkeys(("frame", "track_id", "x", "y", "width", "height"), pyarrow.int64()),
            **dict.fromkeys(("image", "emotion", "candidates"), pyarrow.string()),
            "uncertain": pyarrow.bool_(),
        }
        fields = [(name, kinds.get(name, pyarrow.float64())) for name in columns]
        self._schema = pyarrow.schema(fields)
        self._waiting: list[Row] = []
        self._groups = 0
        self._part = part_of(path)
        self._file = self._part.open("wb", buffering=0)
        try:
            self._begin_group()
        except OSError:
            self._file.close()
            self._part.unlink()
            raise
        self._writer = pyarrow.parquet.ParquetWriter(self._file, self._schema)

    def _write(self, table_rows: list[Row]) -> None:
        table_rows = _without_lists(table_rows)
        values = [value for row in table_rows for value in row.values()]
        characters = sum(len(value) for value in values if isinstance(value, str))
        self._take_room(VALUE_BYTES * len(values) + CHARACTER_BYTES * characters)
        self._waiting += table_rows
        if len(self._waiting) >= ROWS_A_GROUP:
            self._write_group()
            self._begin_group()

    def _write_group(self) -> None:
        import pyarrow

        self._writer.write_table(pyarrow.Table.from_pylist(self._waiting, self._schema))
        self._waiting = []
        self._groups += 1

    def _begin_group(self) -> None:
        """Take room for the index, with this group and what says how the columns are called."""
        self._room_end = self._file.tell()  # what is left of the room before is taken again
        self._take_room(COLUMN_BYTES * len(self._schema) * (self._groups + 2))

    def _take_room(self, size: int) -> None:
        place, end = self._file.tell(), self._room_end + size
        try:
            length = self._file.seek(0, os.SEEK_END)
            _write_all(self._file, bytes(max(0, end - length)))
        except OSError as error:
            raise OSError(f"{self.path}: can't be written to ({error.strerror})") from error
        finally:
            self._file.seek(place)
        self._room_end = end

    def close(self) -> None:
        """Finish the file."""
        if self._file.closed:
            return
        if self._waiting:
            self._write_group()
        self._writer.close()
        self._file.truncate()
        self._file.close()
        self._part.replace(self.path)


FORMATS: dict[str, type[Table]] = {
    ".csv": CsvTable,
    ".jsonl": JsonLinesTable,
    ".parquet": ParquetTable,
}
