"""CSV files: read with the line of every row, and written so that they can be read."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mien.errors import DataError
from mien.files import replacing


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not empty.

    Raises:
        DataError: there is no such file, or it is no CSV file in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not a readable CSV file ({error})"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable CSV file ({error})") from error


def csv_table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, its header first, which is empty if the file is.

    Raises:
        DataError: as `csv_rows`, or a row has not as many cells as the header.
    """
    rows = csv_rows(path)
    line, header = next(rows, (1, []))
    yield line, header
    for line, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {line}: {len(cells)} columns, expected {len(header)}")
        yield line, cells


def write_csv(path: Path, rows: Iterable[Sequence[object]], errors: str = "strict") -> None:
    """Write rows in UTF-8, whole or not at all; `errors` is that of `open`."""
    with (
        replacing(path) as part,
        part.open("w", newline="", encoding="utf-8", errors=errors) as file,
    ):
        file.writelines(map(csv_line, rows))


def csv_line(cells: Sequence[object]) -> str:
    """A row of a CSV file, which ends in a line feed."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # quotes what ends a line elsewhere
    return line.getvalue().removesuffix("\r\n") + "\n"
