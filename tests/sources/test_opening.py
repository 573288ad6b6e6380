"""From what a caller has to its source."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from mien import EmotionRecognition, ImageError, SourceError
from mien.errors import ConfigError
from mien.images import write_image
from mien.sources import open_source
from tests.made import write_video

BLACK = np.zeros((64, 96, 3), dtype=np.uint8)


def test_a_path_of_digits_is_a_folder_and_no_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image("2024/one.png", BLACK)
    with open_source(Path("2024")) as source:
        assert [frame.image_rgb.shape for frame in source] == [BLACK.shape]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    with pytest.raises(SourceError, match=r"can't be read \(Permission denied\)"):
        open_source(tmp_path)


def test_an_empty_name_is_not_the_folder_here() -> None:
    with pytest.raises(SourceError, match=r"^an empty name came, expected a file, an address or"):
        open_source("")


def test_a_name_that_is_too_long_is_told(recognition: EmotionRecognition) -> None:
    with pytest.raises(SourceError, match=r"^x{300}: can't be read \(File name too long\)$"):
        recognition.stream("x" * 300)


def test_a_start_after_the_end_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mkv", [np.zeros((48, 64, 3), np.uint8)] * 3, [0, 40, 80])
    with pytest.raises(SourceError, match=r"ends at 0\.08 s, expected to begin at 1e\+300 s"):
        open_source(tmp_path / "clip.mkv", start_s=1e300)
    with pytest.raises(ConfigError, match="start_s is inf, expected seconds from 0"):
        open_source(tmp_path / "clip.mkv", start_s=math.inf)
    with pytest.raises(ConfigError, match="start_s is 1000000"):
        open_source(tmp_path / "clip.mkv", start_s=10**400)


def test_an_order_of_channels_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(ImageError, match=r"^the colour order is 'rgb', expected 'BGR' or 'RGB'$"):
        open_source([BLACK], color="rgb")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_with_a_name_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(SourceError, match=r"film\.mp4: a device, expected a file"):
        open_source(tmp_path / "film.mp4")
