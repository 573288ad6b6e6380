"""The command is run in processes of its own, on a virtual display where there is one."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from mien.cli.app import app
from mien.images import read_image
from tests.made import write_video

on_posix = pytest.mark.skipif(os.name == "nt", reason="there are no such links")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="there always is a display here")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, astronaut: NDArray[np.uint8]) -> Path:
    """A minute of a face."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    face = np.ascontiguousarray(astronaut[:300, 60:460, ::-1])
    write_video(path, [face] * 300, list(range(0, 60_000, 200)))
    return path


@pytest.fixture
def display() -> Iterator[str]:
    """A virtual display."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("no virtual display here (Xvfb and xdotool)")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        yield f":{server.stdout.readline().decode().strip()}"
        server.terminate()


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and standard error."""
    done = CliRunner().invoke(app, ["webcam", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stderr


@contextmanager
def running(*arguments: object, **settings: str) -> "Iterator[subprocess.Popen[str]]":
    """The command, once its first frame is analysed."""
    with subprocess.Popen(
        [sys.executable, "-m", "mien", "webcam", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | settings,
    ) as process:
        assert process.stderr is not None
        try:
            while not (line := process.stderr.readline()).startswith("Frames: 1,"):
                assert line.startswith("No window: "), line + process.stderr.read()
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def times(path: Path) -> list[float]:
    with path.open(newline="") as file:
        return [float(row["time_s"]) for row in csv.DictReader(file)]


def test_ctrl_c_finishes_the_table(film: Path, tmp_path: Path) -> None:
    table = tmp_path / "new" / "t.csv"
    with running("--source", film, "--no-window", "--table", table) as process:
        process.send_signal(signal.SIGINT)
        assert line_of(process) == f"{table}: written"
        assert process.wait() == 130
    assert 0 < len(times(table)) < 300
    assert all((5 * time_s).is_integer() for time_s in times(table))


def test_a_full_disk_leaves_a_table_of_whole_rows(film: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits on a file's size here")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, before[1]))
    try:
        table = tmp_path / "t.csv"
        code, stderr = run("--source", film, "--no-window", "--table", table)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert stderr.splitlines()[-1] == f"mien: {table}: can't be written to (File too large)"
    assert table.read_text().endswith("\n")


@on_linux
@pytest.mark.parametrize("name", ["", ":987"])
def test_without_a_display_a_table_is_offered(
    film: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DISPLAY", name)
    code, stderr = run("--source", film)
    assert code == 1
    assert stderr.startswith("mien: there is no display to open a window on (DISPLAY is ")
    assert stderr.endswith("; --table FILE works without one\n")


@on_linux
def test_without_a_display_the_table_is_written(film: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with running("--source", film, "--table", table, DISPLAY="") as process:
        process.terminate()
        assert process.wait() == 143
    assert times(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-window"], "--no-window leaves nothing to do without --table FILE"),
        (["--no-window", "--table", "t.csv", "--out", "o"], "--out is for the keys of the window"),
        (["--no-window", "--table", "t.txt"], "t.txt: a table's name ends in one of"),
        (["--no-window", "--table", "t.csv", "--source", "97"], "camera 97: there is none"),
        (["--no-window", "--table", "t.csv", "--source", "a.mp4"], "a.mp4: no such file"),
    ],
)
def test_what_can_not_be_is_refused_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, stderr = run(*arguments)
    assert code == 1
    assert stderr.startswith(f"mien: {message}")
    assert stderr.count("\n") == 1
    assert capfd.readouterr().err == ""  # not a word from OpenCV
    assert not list(tmp_path.iterdir())


@on_posix
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_table_is_not_written_over_the_film(
    film: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    copy = tmp_path / "film.mp4"
    copy.write_bytes(film.read_bytes())
    link(tmp_path / "t.csv", copy)
    code, stderr = run("--source", copy, "--no-window", "--table", tmp_path / "t.csv")
    assert code == 1
    assert stderr.startswith(f"mien: {tmp_path / 't.csv'}: would be written over one of the videos")
    assert copy.read_bytes() == film.read_bytes()


def test_keys_in_a_real_window(film: Path, tmp_path: Path, display: str) -> None:
    def press(key: str) -> None:
        command = ["xdotool", "search", "--sync", "--name", "^mien$", "windowfocus", "key", key]
        subprocess.run(command, check=True, env=os.environ | {"DISPLAY": display})

    with running("--source", film, "--out", tmp_path, DISPLAY=display) as process:
        press("s")
        assert line_of(process) == f"{tmp_path / 'webcam-1.png'}: saved"
        press("r")
        assert line_of(process) == f"{tmp_path / 'webcam-1.mp4'}: recording"
        press("Shift_L")
        press("Escape")
        assert line_of(process) == f"{tmp_path / 'webcam-1.mp4'}: recorded, 0 s"
        assert process.wait() == 0
    assert read_image(tmp_path / "webcam-1.png").shape == (300, 400, 3)
    with av.open(str(tmp_path / "webcam-1.mp4")) as container:
        assert len(list(container.decode(video=0))) >= 1


def test_a_camera_that_is_unplugged_ends_with_a_line_and_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: NDArray[np.uint8]
) -> None:
    class Unplugged:
        """A camera that gives one picture."""

        def __init__(self, number: int) -> None:
            self._pictures = [astronaut]

        def isOpened(self) -> bool:  # noqa: N802 - the name is OpenCV's
            return True

        def get(self, _property: int) -> float:
            return -1.0

        def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
            return (True, self._pictures.pop()) if self._pictures else (False, None)

        def release(self) -> None:
            pass

    monkeypatch.setattr("cv2.VideoCapture", Unplugged)
    table = tmp_path / "t.csv"
    code, stderr = run("--no-window", "--table", table)
    assert code == 1
    assert stderr.splitlines()[-1] == "mien: camera 0: delivers no more frames"
    assert len(times(table)) == 1


def test_ctrl_c_while_an_address_is_opened_is_heard() -> None:
    script = """
import sys
from mien.sources import video_file
video_file.SILENCE_S = 1.0
from mien.__main__ import main
sys.argv = ["mien", "webcam", "--no-window", "--table", "t.csv", "--source", sys.argv[1]]
main()
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-c", script, address], stderr=subprocess.PIPE, text=True
        )
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "")
