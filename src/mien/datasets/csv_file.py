"""Reading CSV files, with the line of every row."""

import csv
from collections.abc import Iterator
from pathlib import Path

from mien.errors import DataError


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
