import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.images import read_image

#: Where one of these is set, no library sends or stores what it otherwise would.
QUIET = ("CI", "ORT_DISABLE_TELEMETRY")


def demo(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name not in QUIET}
    return subprocess.run(
        [sys.executable, "-m", "mien", "demo", *arguments],
        cwd=cwd,
        env={**environment, "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_says_happiness_and_writes_one_picture(
    tmp_path: Path, astronaut_path: Path
) -> None:
    done = demo(cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "happiness" in done.stdout
    assert "NASA" in done.stdout
    assert "mien-demo.png" in done.stdout
    drawn, plain = read_image(tmp_path / "mien-demo.png"), read_image(astronaut_path)
    assert drawn.shape == plain.shape
    assert 0 < (drawn != plain).any(axis=2).mean() < 0.2


def test_the_demo_stores_nothing_but_its_picture(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert demo(cwd=tmp_path / "home").returncode == 0
    assert [path.name for path in (tmp_path / "home").rglob("*")] == ["mien-demo.png"]


def test_the_picture_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    done = demo("--out", "smile.jpg", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "smile.jpg").read_bytes().startswith(b"\xff\xd8")  # JPEG


@pytest.mark.parametrize("out", ["smile.xyz", "smile.psd", "taken", "taken/none.txt/smile.png"])
def test_a_place_that_cannot_be_written_is_one_line(out: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "none.txt").touch()
    done = demo("--out", out, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: ")
    assert out.removesuffix("/smile.png") in done.stderr
