"""The command is run in processes of its own; its files are read back."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.video import VideoWriter
from tests.made import write_sound, write_video

FRAMES, STEP_MS = 12, 80

on_posix = pytest.mark.skipif(os.name == "nt", reason="there are no such links")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, astronaut: NDArray[np.uint8]) -> Path:
    """A folder with a face in `face.mp4`, and none in `empty.mkv`."""
    folder = tmp_path_factory.mktemp("videos")
    face = np.ascontiguousarray(astronaut[:300, 60:460, ::-1])
    times = [STEP_MS * number for number in range(FRAMES)]
    write_video(folder / "face.mp4", [face] * FRAMES, times)
    write_video(folder / "empty.mkv", [np.full_like(face, 90)] * FRAMES, times)
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mien", "video", *map(str, arguments)]


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=environment
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time or 0.0 for frame in container.decode(video=0)]


def test_a_table_a_video_and_a_plot_are_written(folder: Path, tmp_path: Path) -> None:
    table, out, plot = tmp_path / "a" / "t.csv", tmp_path / "b" / "o.mp4", tmp_path / "c" / "p.png"
    done = run(folder / "face.mp4", "--table", table, "--out", out, "--plot", plot)
    assert done.returncode == 0, done.stderr
    assert "face.mp4" in done.stdout
    assert "happiness 100%" in done.stdout
    found = rows(table)
    assert [row["track_id"] for row in found] == ["1"] * FRAMES
    assert [float(row["time_s"]) for row in found] == [0.08 * number for number in range(FRAMES)]
    assert frame_times(out) == pytest.approx([0.08 * number for number in range(FRAMES)], abs=1e-3)
    assert differs_from_plain(out, folder / "face.mp4")
    with Image.open(plot) as picture:
        colors = picture.convert("RGB").getcolors(1 << 24) or []
        counts: dict[Any, int] = {color: count for count, color in colors}
    assert counts[0xF0, 0xE4, 0x42] > 0.3 * picture.width * picture.height  # happiness


def differs_from_plain(out: Path, plain: Path) -> bool:
    with av.open(str(out)) as one, av.open(str(plain)) as other:
        ours, theirs = (
            next(file.decode(video=0)).to_ndarray(format="gray").astype(int)
            for file in (one, other)
        )
    return bool(np.abs(ours - theirs).max() > 100)


def test_every_frame_without_a_face_has_a_row(folder: Path, tmp_path: Path) -> None:
    done = run(folder / "empty.mkv", "--table", tmp_path / "t.jsonl", "--plot", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    assert f"in {FRAMES} frames" in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["track_id"]) for line in lines] == [
        (number, None) for number in range(FRAMES)
    ]


def test_a_part_and_every_second_frame_keep_their_times(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    part = ("--start", "0.24", "--end", "0.8", "--every", "2", "--detect-every", "2")
    done = run(folder / "face.mp4", *part, "--table", tmp_path / "t.csv", "--out", out)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "t.csv")
    assert [float(row["time_s"]) for row in found] == pytest.approx([0.24, 0.40, 0.56, 0.72])
    assert frame_times(out) == pytest.approx([0.0, 0.16, 0.32, 0.48], abs=1e-3)


@pytest.mark.parametrize("processes", [1, 2])
def test_what_can_not_be_read_does_not_stop_the_others(
    folder: Path, tmp_path: Path, processes: int
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "zero.mp4").write_bytes(b"")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "text.csv").write_text("earlier")
    table, out = tmp_path / "t" / "{name}.csv", tmp_path / "o" / "{name}.mp4"
    done = run(
        *(tmp_path / "text.mp4", tmp_path / "zero.mp4", tmp_path / "none.mp4", folder, tmp_path),
        *("--table", table, "--out", out, "--processes", processes),
    )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("mien:")]
    assert len(errors) == 3
    assert "text.mp4: can't be read as a video" in errors[0]
    assert "what was done" not in errors[0]
    assert "zero.mp4: can't be read as a video" in errors[1]
    assert "none.mp4: no such file" in errors[2]
    assert [len(rows(tmp_path / "t" / f"{name}.csv")) for name in ("face", "empty")] == [FRAMES] * 2
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["empty.mp4", "face.mp4"]
    assert rows(tmp_path / "t" / "face.csv")[3]["emotion"] == "happiness"


def test_globs_and_folders_named_by_digits_are_taken(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "2024").mkdir()
    (tmp_path / "2024" / "notes.txt").write_text("no video")
    with chdir(tmp_path):
        assert run("2024").stderr == "mien: 2024: a folder without videos\n"
        (tmp_path / "7").touch()
        assert "mien: 7: can't be read as a video" in run("./7").stderr
    done = run(folder / "*.mp4", tmp_path / "*.mov", "--table", tmp_path / "{name}.csv")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"mien: {tmp_path / '*.mov'}: fits no file"
    assert len(rows(tmp_path / "face.csv")) == FRAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "all.mp4"], "all.mp4: is to be written 2 times; put {name} into its name"),
        (["--table", "x.csv"], "x.csv: is to be written 2 times"),
        (["--out", "{name}.avi"], "a video's name ends in .mp4"),
        (["--table", "{name}.xls"], "a table's name ends in one of .csv"),
        (["--plot", "{name}.jpg"], "a plot's name ends in .png"),
        (["--out", "FOLDER/{name}.mp4"], "face.mp4: would be written over one of the videos"),
        (["--table="], ".: is a folder, expected the name of a file"),
        (["--out="], ".: a video's name ends in .mp4"),
        (["--plot="], ".: a plot's name ends in .png"),
        (["--bars"], "bars are drawn into the annotated video, and there is none (--out)"),
        (["--start", "50"], "face.mp4: ends at 0.88 s, expected to begin at 50 s"),
        (["--plot", "/proc/{name}.png"], "No such file or directory: '/proc'"),
        (["--start", "5", "--end", "2"], "end_s is 2.0, expected more than start_s, 5.0"),
        (["--model", "none.onnx"], "none.onnx"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(
    folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = [text.replace("FOLDER", str(folder)) for text in arguments]
    if given[0] in ("--out", "--table") and "FOLDER" not in arguments[1]:
        given[1] = str(tmp_path / given[1])
    done = run(folder, *given)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["empty.mkv", "face.mp4"]
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_has_left_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    left = tmp_path / "annotated.mp4.part"
    left.write_bytes((folder / "face.mp4").read_bytes())
    done = run(left, "--out", tmp_path / "annotated.mp4")
    assert done.returncode == 1
    assert "annotated.mp4: would be written over one of the videos that are read" in done.stderr
    assert left.read_bytes() == (folder / "face.mp4").read_bytes()


@on_posix
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("t.csv", ("--table", "t.csv")),
        ("t.parquet.part", ("--table", "t.parquet")),
        ("o.mp4", ("--out", "o.mp4")),
        ("o.mp4.part", ("--out", "o.mp4")),
        ("p.png.part", ("--plot", "p.png")),
    ],
)
def test_an_input_is_not_written_over_through_a_link(
    folder: Path,
    tmp_path: Path,
    name: str,
    output: tuple[str, str],
    link: Callable[[Path, Path], None],
) -> None:
    video = tmp_path / "face.mp4"
    video.write_bytes((folder / "face.mp4").read_bytes())
    link(tmp_path / name, video)
    with chdir(tmp_path):
        done = run("face.mp4", *output)
    assert done.returncode == 1
    assert done.stderr == (
        f"mien: {output[1]}: would be written over one of the videos that are read\n"
    )
    assert video.read_bytes() == (folder / "face.mp4").read_bytes()


@on_posix
def test_a_link_that_leads_to_itself_does_not_stop_the_others(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "face.mp4").symlink_to(folder / "face.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    done = run(tmp_path, "--every", FRAMES, "--table", tmp_path / "{name}.csv")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"mien: {tmp_path}/loop.mp4: no such file or folder"
    assert len(rows(tmp_path / "face.csv")) == 1


@on_posix
@pytest.mark.parametrize("name", ["loop.csv", "loop.csv/t.csv"])
def test_a_table_behind_a_link_that_leads_to_itself_is_one_line(
    folder: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    done = run(folder / "face.mp4", "--table", tmp_path / name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"{tmp_path / 'loop.csv'}'")
    assert "Traceback" not in done.stderr


@on_posix
@pytest.mark.parametrize(
    ("option", "name", "told"),
    [("--table", "t.csv", "t.csv"), ("--out", "o.mp4", "o.mp4.part"), ("--plot", "p.png", ".")],
)
def test_in_a_folder_that_is_gone_what_can_not_be_written_is_named(
    folder: Path, tmp_path: Path, option: str, name: str, told: str
) -> None:
    (tmp_path / "gone").mkdir()
    with chdir(tmp_path / "gone"):
        (tmp_path / "gone").rmdir()
        done = run(folder / "face.mp4", option, name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"mien: [Errno 2] No such file or directory: '{told}'"


def test_videos_of_the_same_name_are_told_apart(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "face.mp4").write_bytes((folder / "face.mp4").read_bytes())
    done = run(folder / "face.mp4", tmp_path / "face.mp4")
    assert done.returncode == 0
    assert str(folder / "face.mp4") in done.stdout
    assert str(tmp_path / "face.mp4") in done.stdout


def test_videos_of_the_same_name_get_tables_of_their_own(folder: Path, tmp_path: Path) -> None:
    # Capitals count here, but not where the tables may go.
    videos = [tmp_path / name for name in ("face.mp4", "other/Face.mp4", "face-2.mp4")]
    (tmp_path / "other").mkdir()
    for video in videos:
        video.symlink_to(folder / "empty.mkv")
    done = run(*videos, "--every", FRAMES, "--table", tmp_path / "t" / "{name}.csv")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "t").iterdir())
    assert names == ["Face-2.csv", "face-2-2.csv", "face.csv"]


def test_a_failure_leaves_an_earlier_plot(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_text("earlier")
    (tmp_path / "broken.mp4").write_text("no video")
    for arguments in (
        (folder / "face.mp4", "--table", "/proc/t.csv"),
        (tmp_path / "broken.mp4",),
    ):
        assert run(*arguments, "--plot", tmp_path / "plot.png").returncode == 1
        assert (tmp_path / "plot.png").read_text() == "earlier"


def test_a_part_without_frames_leaves_earlier_files(tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.mkv", 2.0, "aac")
    with VideoWriter(tmp_path / "short.mp4", tmp_path / "sound.mkv") as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    outputs = {"--table": "t.csv", "--out": "o.mp4", "--plot": "p.png"}
    for name in outputs.values():
        (tmp_path / name).write_text("earlier")
    given = [text for option, name in outputs.items() for text in (option, tmp_path / name)]
    done = run(tmp_path / "short.mp4", "--start", 1, *given)
    assert done.returncode == 1
    assert done.stderr == f"mien: {tmp_path / 'short.mp4'}: no frame is shown from 1 s on\n"
    assert {(tmp_path / name).read_text() for name in outputs.values()} == {"earlier"}


def test_lines_are_whole_in_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    done = subprocess.run(
        command(folder / "face.mp4", "--smoothing", "0"), capture_output=True, text=True, check=True
    )
    assert len([line for line in done.stdout.splitlines() if line.strip()]) == 3


def test_a_folder_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plot.png").mkdir()
    done = run(folder / "face.mp4", "--plot", tmp_path / "plot.png")
    assert done.returncode == 1
    assert "plot.png: is a folder, expected the name of a file" in done.stderr


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Longer than anybody waits for: 60 s of noise, which compresses badly."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(10)]
    with VideoWriter(path) as writer:
        for number in range(1500):
            writer.write(pictures[number % 10], number * 0.04)
    return path


@pytest.fixture
def running(long_video: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command at work on the long video."""
    arguments = command(
        *(long_video, "--table", tmp_path / "t.csv", "--out", tmp_path / "o.mp4"),
        *("--plot", tmp_path / "p.png"),
    )
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_whole_files(
    running: "subprocess.Popen[str]", tmp_path: Path, number: signal.Signals
) -> None:
    assert running.stderr is not None
    assert running.stderr.readline().startswith("Frames: 1 of 1500")
    running.send_signal(number)
    _, errors = running.communicate()
    assert running.returncode == 128 + number
    assert "stopped at " in errors
    assert f"what was done until then is in {tmp_path / 't.csv'}, {tmp_path / 'o.mp4'}" in errors
    written = [float(row["time_s"]) for row in rows(tmp_path / "t.csv")]
    assert 1 <= len(written) < 1500
    assert frame_times(tmp_path / "o.mp4") == pytest.approx(written, abs=1e-3)
    with Image.open(tmp_path / "p.png") as picture:
        picture.load()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mp4", "p.png", "t.csv"]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "o.mp4"])
def test_a_full_disk_leaves_what_was_done(long_video: Path, tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource")
    limits = {"t.csv": 2_000, "t.jsonl": 2_000, "t.parquet": 60_000, "o.mp4": 1_200_000}
    path, limit = tmp_path / name, limits[name]
    option = "--table" if name.startswith("t") else "--out"
    done = subprocess.run(
        command(long_video, option, path),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert f"what was done until then is in {path}" in done.stderr
    assert "File too large" in done.stderr
    assert 0 < path.stat().st_size <= limit
    if name == "t.csv":
        found = rows(path)
        assert [int(row["frame"]) for row in found] == list(range(len(found)))
        assert path.read_bytes().endswith(b"\n")
    elif name == "t.jsonl":
        lines = path.read_text().splitlines()
        assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    elif name == "t.parquet":
        numbers = pytest.importorskip("pyarrow.parquet").read_table(path)["frame"].to_pylist()
        assert numbers == list(range(len(numbers)))
        assert numbers
    else:
        assert len(frame_times(path)) >= 25


def test_a_real_clip_is_told_as_it_is(shared: Path, tmp_path: Path) -> None:
    source, out = shared / "media" / "WolfgangLanger_Pexels.mp4", tmp_path / "o.mp4"
    done = run(source, "--every", 4, "--table", tmp_path / "t.csv", "--out", out)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "t.csv")
    assert len(found) == 118
    assert {row["track_id"] for row in found} == {"1"}
    leading = [row["emotion"] for row in found]
    assert leading[12:36].count("sadness") > 20  # 2 to 6 s
    assert leading[66:].count("happiness") == len(leading[66:])  # from 11 s on
    with av.open(str(out)) as ours, av.open(str(source)) as theirs:
        assert ours.duration == pytest.approx(theirs.duration, abs=170_000)  # a frame of ours
        assert [stream.type for stream in ours.streams] == ["video", "audio"]
