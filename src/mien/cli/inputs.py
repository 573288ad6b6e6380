"""Files as they are named on the command line: by paths, folders and globs."""

import glob
from collections.abc import Container
from pathlib import Path

from mien.cli import console
from mien.errors import SourceError
from mien.files import files_in


def files_of(text: str, suffixes: Container[str], what: str) -> list[Path]:
    """The files that a path, a folder or a glob stands for.

    Args:
        text: any of them. A file that is named itself may have any ending, or not be there.
        suffixes: the endings that count in a folder; a note says how much else is in it.
        what: the files, in one word, for messages.

    Raises:
        SourceError: there is none, or it can't be looked at.
    """
    if not text:
        raise SourceError(f"an empty name came, expected {what}")
    path = Path(text)
    try:
        if path.is_dir():
            return _files_in(path, suffixes, what)
        if path.exists() or not glob.has_magic(text):
            return [path]
        matches = glob.glob(text, recursive=True)  # noqa: PTH207 - the glob may be absolute
    except OSError as error:
        raise SourceError(f"{text}: can't be read ({error.strerror})") from error
    if not (found := sorted(match for match in map(Path, matches) if match.is_file())):
        raise SourceError(f"{text}: fits no file")
    return found


def _files_in(folder: Path, suffixes: Container[str], what: str) -> list[Path]:
    found = files_in(folder, suffixes)
    if not found:
        raise SourceError(f"{folder}: a folder without {what}")
    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if left_out := len(visible) - len(found):
        console.note(f"{folder}: {left_out:,} other files or folders in it are left out")
    return found
