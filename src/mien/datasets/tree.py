"""Folders and what lies below them."""

import os
from collections.abc import Iterator
from pathlib import Path

from mien.errors import DataError


def walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder and all below it, with the names of their files in order.

    Links are followed; a folder that they lead to again is looked at once. What is hidden is left
    out, as copies of notebooks and thumbnails of disks are.

    Raises:
        DataError: a folder can't be read.
    """
    seen: set[str] = set()
    for place, below, names in os.walk(folder, onerror=_raise, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            below.clear()
            continue
        seen.add(real)
        # Sorted, so that which of two ways to a folder counts is the same everywhere.
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(place), sorted(name for name in names if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise DataError(f"{error.filename}: can't be read ({error.strerror})") from error
