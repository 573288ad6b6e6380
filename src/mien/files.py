"""Files: which are pictures, and writing them so that nobody ever finds half of one."""

import os
import warnings
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from mien.errors import ConfigError

#: Endings of picture files, as they are looked for in folders.
PICTURE_SUFFIXES = {
    *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".pgm"),
    *(".tif", ".tiff", ".webp"),
}

#: Endings of video files, as they are looked for in folders.
VIDEO_SUFFIXES = {
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv"),
}


def files_in(folder: Path, suffixes: Container[str]) -> list[Path]:
    """What lies in a folder and has one of these endings, by name.

    What is hidden is left out, and so are folders, pipes and devices, of which some never end.
    Links that lead nowhere are taken, so that whoever opens them tells.

    Raises:
        OSError: the folder can't be read.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes
        and not path.name.startswith(".")
        and (path.is_file() or not path.exists())
    )


def part_of(path: Path) -> Path:
    """What a file is called until it is whole."""
    return path.with_name(path.name + ".part")


@contextmanager
def replacing(path: Path, outlasts_power: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` when all went well.

    A crash in between leaves the earlier `path` whole, and a `.part` file that the next
    writing replaces. So does a lack of power if `outlasts_power`, which takes time: too much for
    each of many small files.
    """
    part = part_of(path)
    try:
        yield part
        if outlasts_power:
            with part.open("r+b") as file:  # Windows flushes only what may be written to
                os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if error.errno is not None:  # not one of Pillow's
            error.filename = error.filename or str(path)  # a full disk names no file
        raise
    finally:
        part.unlink(missing_ok=True)


def check_no_folder(path: Path) -> None:
    """Raise ConfigError where no file of that name can be, since a folder has it."""
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder, expected the name of a file")


def place_of(path: Path) -> tuple[int, int] | str:
    """What all names of one file or folder have in common, whatever links lead to it.

    Device and inode; of what is not there the whole path, with links followed as far as they lead.
    """
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    with suppress(OSError):  # the folder that one is in may be gone
        return os.path.realpath(path)
    return str(path)


def check_not_read(outputs: Iterable[Path], inputs: Iterable[str | Path], what: str) -> None:
    """Raise ConfigError where an output, or its `.part`, is one of the inputs.

    Args:
        outputs: the files to write.
        inputs: the files to read.
        what: the inputs, in one word, for the message.
    """
    read = {place_of(Path(one)) for one in inputs}
    for path in outputs:
        if not read.isdisjoint((place_of(path), place_of(part_of(path)))):
            raise ConfigError(f"{path}: would be written over one of the {what} that are read")


def check_writable(folder: Path) -> None:
    """Make a folder if need be; raise OSError if no file can be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f".{uuid4().hex}"  # tempfile takes a refusal of Windows for a name in use
    try:
        trial.open("xb").close()
        trial.unlink()
    except OSError as error:
        error.filename = str(folder)
        raise


def ignore_oddities() -> None:
    """Have Pillow not warn of odd files in this process, which is to be one of mien's own."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
