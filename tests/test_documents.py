"""What the documents show is run, in the order in which it stands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.main import get_command
from typer.testing import CliRunner

from mien.cli.app import app
from mien.files import PICTURE_SUFFIXES
from tests.made import write_prepared_faces, write_tables, write_video
from tests.made_releases import write_affwild2, write_releases

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *("README.md", "docs/training.md", "docs/data.md", "docs/videos.md", "docs/detectors.md"),
    *("docs/deployment.md", "CONTRIBUTING.md"),
]
#: These are run by the tests of the wheel and by continuous integration.
RUN_ELSEWHERE = ("pip install", "make ")
NEEDS_A_CAMERA = "mien webcam"
#: These need no process of their own, and so less time.
RUN_HERE = ("prepare", "data")


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run_command(line: str, folder: Path) -> None:
    if line.startswith(RUN_ELSEWHERE) or line == NEEDS_A_CAMERA:
        return
    program, *arguments = shlex.split(line)
    assert program == "mien"
    if arguments[0] in RUN_HERE:
        with chdir(folder):
            result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        return
    done = subprocess.run(
        [sys.executable, "-m", "mien", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_run(
    document: str,
    tmp_path: Path,
    astronaut_path: Path,
    astronaut: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if find_spec("facenet_pytorch") is None:
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "stand_ins"), prepend=os.pathsep)
    write_tables(tmp_path, rows=210, training=1)
    write_prepared_faces(tmp_path / "faces", {"train": 64, "valid": 64})
    own = ("boredom", "happiness", "neutral", "pain")
    write_prepared_faces(tmp_path / "own-faces", {"train": 64, "valid": 64}, own, seed=2)
    for name in ("clip.mp4", "other.mp4"):
        write_video(tmp_path / name, [astronaut] * 3, [0, 40, 80])
    shutil.copy(astronaut_path, tmp_path / "photo.jpg")
    shutil.copytree(astronaut_path.parent, tmp_path / "src" / "mien" / "assets")
    (tmp_path / "docs").mkdir()
    write_affwild2(tmp_path)
    write_releases(tmp_path, astronaut_path)
    for settings in blocks(document, "toml"):
        (tmp_path / "settings.toml").write_text(settings)
    for table in blocks(document, "csv"):
        (tmp_path / "map.csv").write_text(table)
    for code in blocks(document, "python"):
        subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    for line in "".join(blocks(document, "sh")).splitlines():
        run_command(line, tmp_path)


def test_endings_of_pictures_are_documented() -> None:
    text = (ROOT / "docs/data.md").read_text()
    assert [suffix for suffix in PICTURE_SUFFIXES if f"`{suffix}`" not in text] == []


def test_every_command_stands_in_a_document_and_explains_itself() -> None:
    documents = "".join((ROOT / document).read_text() for document in DOCUMENTS)
    commands = get_command(app)
    names = commands.list_commands(None)  # type: ignore[attr-defined]
    assert "demo" in names
    for name in names:
        command = commands.commands[name]  # type: ignore[attr-defined]
        assert f"mien {name}" in documents
        assert command.help
        assert all(getattr(option, "help", "") for option in command.params), name


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*DOCUMENTS, "docs/architecture.md"]:
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"
