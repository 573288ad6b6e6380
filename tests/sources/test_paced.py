"""Files and folders that are played like a camera."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien import EmotionRecognition
from mien.images import write_image
from mien.sources import Paced, open_source
from tests.made import write_video

Image = NDArray[np.uint8]
BLACK = np.zeros((64, 96, 3), dtype=np.uint8)


def test_a_file_is_played_at_its_own_pace_like_a_camera(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", [BLACK] * 5, [0, 40, 100, 1000, 1040])
    now_s, slept = 50.0, []

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        slept.append(round(seconds, 3))

    with Paced(open_source(tmp_path / "film.mp4", start_s=0.04), lambda: now_s, sleep) as source:
        times = []
        for frame in source:
            times.append(round(frame.time_s, 3))
            now_s += 0.5 if frame.number == 2 else 0.0
    assert times == [0.04, 0.1, 1.0, 1.04]
    assert slept == [0.0, 0.06, 0.9, 0.0]


def test_a_paced_folder_is_no_film_either(
    tmp_path: Path, recognition: EmotionRecognition, astronaut: Image
) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, astronaut)
    source = Paced(open_source(tmp_path))
    assert (source.name, source.expected_frames) == (str(tmp_path), 2)
    faces = [face for frame in recognition.stream(source) for face in frame.faces]
    assert faces
    assert all("raw_emotions" not in face for face in faces)
