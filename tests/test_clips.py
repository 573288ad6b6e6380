"""Several videos in processes of their own."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


def test_a_process_that_is_killed_is_told_with_the_video_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    picture = np.full((480, 640, 3), 90, dtype=np.uint8)
    jobs = []
    for name in ("one.mkv", "two.mkv", "three.mkv"):
        write_video(tmp_path / name, [picture] * 60, [40 * number for number in range(60)])
        jobs.append(ClipJob(str(tmp_path / name)))
    killed: list[int] = []

    def kill_one(place: int, _frames: int) -> None:
        if not killed:
            # Processes are begun in the order of the first videos.
            children = sorted(multiprocessing.active_children(), key=lambda child: child.pid or 0)
            children[place].kill()
            killed.append(place)

    outcomes = analyse_clips(jobs, {}, kill_one, lambda: False, processes=2)
    lost = outcomes.pop(killed[0])
    assert isinstance(lost, MienError)
    name = ("one.mkv", "two.mkv")[killed[0]]
    assert str(lost).startswith(f"{tmp_path / name}: is not finished: a process ended")
    assert [one.frames for one in outcomes if isinstance(one, ClipSummary)] == [60, 60]


def test_videos_are_done_though_every_process_was_killed(tmp_path: Path) -> None:
    picture = np.full((480, 640, 3), 90, dtype=np.uint8)
    write_video(tmp_path / "film.mkv", [picture] * 30, [40 * number for number in range(30)])
    jobs = [ClipJob(str(tmp_path / "film.mkv"))] * 4

    def kill_the_first(place: int, _frames: int) -> None:
        if place < 2:
            for child in multiprocessing.active_children():
                child.kill()

    outcomes = analyse_clips(jobs, {}, kill_the_first, lambda: False, processes=2)
    assert [type(one) for one in outcomes] == [MienError, MienError, ClipSummary, ClipSummary]


class Killed(SpawnProcess):
    """A process that has no time to begin."""

    def start(self) -> None:
        super().start()
        self.kill()


def test_an_end_that_no_pipe_tells_is_noticed(
    jobs: list[ClipJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On Windows the other end of a pipe stays open in this process until the new one has it.
    kept = []

    def pipe() -> Any:
        ours, theirs = multiprocessing.Pipe()
        kept.append(os.dup(theirs.fileno()))
        return ours, theirs

    context = SimpleNamespace(Pipe=pipe, Process=Killed)
    monkeypatch.setattr(multiprocessing, "get_context", lambda _kind: context)
    try:
        outcomes = analyse_clips(jobs, {}, lambda *_: None, lambda: False, processes=2)
    finally:
        for number in kept:
            os.close(number)
    assert [type(one) for one in outcomes] == [MienError, MienError]


def test_no_process_outlives_the_one_that_began_it(tmp_path: Path) -> None:
    picture = np.full((480, 640, 3), 90, dtype=np.uint8)
    write_video(tmp_path / "long.mkv", [picture] * 400, [40 * number for number in range(400)])
    code = (
        "import multiprocessing, sys\nfrom mien.clip import ClipJob\n"
        "from mien.clips import analyse_clips\n"
        "def tell(place, frames):\n"
        "    print(*[c.pid for c in multiprocessing.active_children()], flush=True)\n"
        "analyse_clips([ClipJob(sys.argv[1])] * 2, {}, tell, lambda: False, processes=2)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "long.mkv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
        process.communicate(timeout=60)  # ends when every process has let go of the output
    assert len(pids) == 2
