"""Cameras, in the place of which a capture of our own stands."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien import SourceError
from mien.sources import open_source
from mien.sources.camera import SILENT, opencv_logging
from tests.made import write_video

Image = NDArray[np.uint8]
BLACK = np.zeros((64, 96, 3), dtype=np.uint8)


def test_a_camera_may_be_opened_and_set_up_by_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Capture:
        """A camera that gives two pictures; no subclass of OpenCV's, whose collection crashes."""

        left = 2
        is_released = False

        def isOpened(self) -> bool:  # noqa: N802 - the name is OpenCV's
            return True

        def get(self, _property: int) -> float:
            return -1.0

        def read(self) -> tuple[bool, Image | None]:
            self.left -= 1
            return (True, BLACK) if self.left >= 0 else (False, None)

        def release(self) -> None:
            self.is_released = True

    with monkeypatch.context() as patched:
        patched.setattr("cv2.VideoCapture", Capture)
        capture = Capture()
        with open_source(capture) as source:
            assert source.is_live
            frames = iter(source)
            assert [next(frames).number, next(frames).number] == [0, 1]
            with pytest.raises(SourceError, match="the capture: delivers no more frames"):
                next(frames)
        assert capture.is_released
    with pytest.raises(SourceError, match="the capture: there is none, or it is in use"):
        open_source(cv2.VideoCapture())
    write_video(tmp_path / "film.mp4", [BLACK] * 5, [0, 40, 80, 120, 160])
    with pytest.raises(SourceError, match="is of a video file, expected the file's path"):
        open_source(cv2.VideoCapture(str(tmp_path / "film.mp4")))


def test_of_a_cameras_frames_as_many_are_taken_as_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Capture:
        """A camera that is always there."""

        def isOpened(self) -> bool:  # noqa: N802 - the name is OpenCV's
            return True

        def get(self, _property: int) -> float:
            return -1.0

        def read(self) -> tuple[bool, Image]:
            return True, BLACK

        def release(self) -> None:
            pass

    monkeypatch.setattr("cv2.VideoCapture", Capture)
    with open_source(Capture(), every=3) as source:
        frames = iter(source)
        assert [next(frames).number for _ in range(4)] == [0, 3, 6, 9]


def test_opencv_may_speak_again_after_a_camera_was_looked_for() -> None:
    logging = opencv_logging()
    before = logging.getLogLevel()
    assert before != SILENT
    with pytest.raises(SourceError, match="camera 97: there is none"):
        open_source("97")
    assert logging.getLogLevel() == before


def test_opencv_before_4_13_is_silenced_by_functions_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels = [3]

    def set_level(level: int) -> int:
        levels.append(level)
        return levels[-2]

    monkeypatch.delattr("cv2.utils.logging", raising=False)
    monkeypatch.setattr("cv2.setLogLevel", set_level, raising=False)
    with pytest.raises(SourceError, match="camera 97: there is none"):
        open_source("97")
    assert levels == [3, SILENT, 3]
