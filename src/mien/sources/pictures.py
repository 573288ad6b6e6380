"""Pictures in place of a video."""

from collections.abc import Iterator
from pathlib import Path

from mien.errors import SourceError
from mien.files import PICTURE_SUFFIXES, files_in
from mien.images import read_image
from mien.sources.source import FRAMES_PER_SECOND, Source, TimedFrame


class Pictures(Source):
    """A picture, or the pictures of a folder in the order of their names."""

    is_film = False

    def __init__(self, path: Path, every: int = 1) -> None:
        self.name, self._every = str(path), every
        self._paths = [path]
        if path.is_dir():
            self._paths = files_in(path, PICTURE_SUFFIXES)
        if not self._paths:
            raise SourceError(f"{path}: holds no pictures")
        self.expected_frames = len(range(0, len(self._paths), every))

    def __iter__(self) -> Iterator[TimedFrame]:
        for number in range(0, len(self._paths), self._every):
            yield TimedFrame(number, read_image(self._paths[number]), number / FRAMES_PER_SECOND)
