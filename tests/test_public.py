import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import mien
from mien.cli.app import app

HEAVY = ("numpy", "cv2", "onnxruntime", "torch", "matplotlib", "PIL")


def in_fresh_process(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_importing_mien_loads_no_library_and_makes_no_file(tmp_path: Path) -> None:
    code = f"import sys, mien; print([name for name in {HEAVY} if name in sys.modules])"
    assert in_fresh_process("-c", code, cwd=tmp_path) == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_importing_the_commands_loads_no_network(tmp_path: Path) -> None:
    code = f"import sys, mien.cli.app; print([name for name in {HEAVY} if name in sys.modules])"
    assert in_fresh_process("-c", code, cwd=tmp_path) == "[]\n"


@pytest.mark.parametrize("name", mien.__all__)
def test_public_names_load_and_say_what_they_are(name: str) -> None:
    assert getattr(mien, name).__doc__
    assert name in dir(mien)


@pytest.mark.parametrize("name", ["ImageError", "ModelError", "DataError", "ConfigError"])
def test_errors_are_mien_errors_and_value_errors(name: str) -> None:
    assert issubclass(getattr(mien, name), mien.MienError)
    assert issubclass(getattr(mien, name), ValueError)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'EmotionDetector'"):
        _ = mien.EmotionDetector  # type: ignore[attr-defined]


def test_a_library_that_opencv_lacks_is_named_with_what_brings_it(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object')")
    done = subprocess.run(
        [sys.executable, "-m", "mien", "demo"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "mien: OpenCV lacks a library (libGL.so.1: cannot open shared object): "
        "apt-get install libgl1 libglib2.0-0\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="the shell of Unix closes the output")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_output_is_no_error(closed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m mien demo {closed}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "mien-demo.png").stat().st_size > 10_000


def test_version_is_printed(tmp_path: Path) -> None:
    printed = in_fresh_process("-m", "mien", "--version", cwd=tmp_path)
    assert printed == f"mien {mien.__version__}\n"


def all_commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield names, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from all_commands(inner, *names, name)


COMMANDS = dict(all_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_a_help_text(names: tuple[str, ...]) -> None:
    command = COMMANDS[names]
    shown = CliRunner().invoke(app, [*names, "--help"])
    assert shown.exit_code == 0
    assert command.help.split("\n")[0] in " ".join(shown.stdout.split())
    assert [option.name for option in command.params if not option.help] == []


def test_the_commands_are_those_of_the_manual() -> None:
    wanted = {
        "demo",
        "image",
        "prepare ferplus",
        "prepare folder",
        "data inspect",
        "train",
        "validate",
        "export",
    }
    assert wanted <= set(map(" ".join, COMMANDS))
