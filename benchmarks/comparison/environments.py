"""A virtual environment for each package, so that each has the versions it needs."""

import logging
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from benchmarks.comparison.contestants import Contestant

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / "benchmarks" / ".environments"


log = logging.getLogger(__name__)


class PeerError(Exception):
    """A package can't be installed or run; the message is the reason."""


def make_environments(
    contestants: Iterable[Contestant],
) -> tuple[dict[str, Path], dict[str, str]]:
    """The environments by package, and for those that can't be installed the reasons."""
    environments, failures = {}, {}
    for package in dict.fromkeys(one.package for one in contestants):
        log.info("the environment of %s", package)
        try:
            environments[package] = environment_of(package)
        except PeerError as error:
            failures[package] = str(error)
    return environments, failures


def environment_of(package: str) -> Path:
    """Make or mend the environment of a package, from its requirements.

    Raises:
        PeerError: it can't be installed.
    """
    environment = ENVIRONMENTS / package
    if not python_of(environment).exists():
        venv.create(environment, with_pip=True)
    pip = (python_of(environment), "-m", "pip", "install", "--quiet")
    done = subprocess.run(
        [*pip, "--requirement", REQUIREMENTS / f"{package}.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PeerError(last_line(done.stderr))
    return environment


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return environment / folder / "python"


def size_mib(environment: Path) -> float:
    """What an environment takes on the disk, pip and all."""
    files = (path for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 2**20


def last_line(text: str) -> str:
    """The last line that is not empty, where errors say what is wrong."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it ended without a word"
