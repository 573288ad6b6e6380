"""The built wheel, alone in an empty environment."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST_ENVIRONMENT_MB = 600


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = ("-m", "pip", "--disable-pip-version-check")
    run(sys.executable, *pip, "wheel", "--quiet", "--no-deps", "-w", folder, ROOT, cwd=folder)
    venv.create(folder / "env", with_pip=True)
    (wheel,) = folder.glob("mien-*.whl")
    run(
        *(folder / "env/bin/python", *pip, "install", "--quiet"),
        *("--constraint", ROOT / "constraints.txt", wheel),
        cwd=folder,
    )
    return folder / "env"


def test_the_demonstration_says_happiness(environment: Path, tmp_path: Path) -> None:
    assert "happiness" in run(environment / "bin/mien", "demo", cwd=tmp_path)
    assert (tmp_path / "mien-demo.png").stat().st_size > 100_000


def test_the_environment_is_small_and_holds_no_torch(environment: Path) -> None:
    size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file())
    assert size < LARGEST_ENVIRONMENT_MB * 1e6
    packages = run(environment / "bin/python", "-m", "pip", "list", cwd=environment)
    assert "onnxruntime" in packages
    assert "torch" not in packages


def test_a_frozen_app_recognises(environment: Path, tmp_path: Path, astronaut_path: Path) -> None:
    app = "import sys, mien, mien.images\n"
    app += "frame = mien.images.read_image(sys.argv[1])\n"
    app += "print(mien.EmotionRecognition().run(frame, 'RGB')[0]['emotion'])\n"
    (tmp_path / "app.py").write_text(app)
    python = environment / "bin/python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--constraint", ROOT / "constraints.txt", "pyinstaller", cwd=tmp_path)
    run(python, "-m", "PyInstaller", "--log-level", "ERROR", "app.py", cwd=tmp_path)
    assert run(tmp_path / "dist/app/app", astronaut_path, cwd=tmp_path) == "happiness\n"


def test_training_says_what_it_lacks(environment: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [environment / "bin/mien", "train", "--data-dir", "none", "--model-path", "m.onnx"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'mien[train]'" in done.stderr
