"""Several videos in processes of their own."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from mien.clip import ClipJob, ClipSummary
from mien.clips import analyse_clips
from mien.errors import MienError
from tests.made import write_video

FRAMES = 12


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[ClipJob]:
    """Two videos without a face."""
    folder = tmp_path_factory.mktemp("clips")
    picture = np.full((48, 64, 3), 90, dtype=np.uint8)
    for name in ("one.mkv", "two.mkv"):
        write_video(folder / name, [picture] * FRAMES, [40 * number for number in range(FRAMES)])
    return [ClipJob(str(folder / name)) for name in ("one.mkv", "two.mkv")]


def test_every_frame_is_told(jobs: list[ClipJob]) -> None:
    told: dict[int, list[int]] = {0: [], 1: []}
    outcomes = analyse_clips(
        jobs, {}, lambda place, frames: told[place].append(frames), lambda: False, processes=2
    )
    assert [one.frames for one in outcomes if isinstance(one, ClipSummary)] == [FRAMES, FRAMES]
    assert list(told.values()) == [list(range(1, FRAMES + 1))] * 2


def test_a_process_that_is_killed_is_told_with_the_video(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    picture = np.full((480, 640, 3), 90, dtype=np.uint8)
    write_video(path, [picture] * 100, [40 * number for number in range(100)])

    def kill(_place: int, _frames: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    outcomes = analyse_clips([ClipJob(str(path))] * 2, {}, kill, lambda: False, processes=2)
    assert all(isinstance(outcome, MienError) for outcome in outcomes)
    assert str(outcomes[0]).startswith(f"{path}: is not finished: a process ended before its time")
