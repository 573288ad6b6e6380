"""What tests share: small data that is made on the spot, and real data where it is there."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien import EmotionRecognition
from mien.images import read_image
from tests.made import write_ferplus

ASTRONAUT = Path(__file__).parents[1] / "src" / "mien" / "assets" / "astronaut.jpg"
SHARED = Path(os.environ.get("MIEN_SHARED", Path(__file__).parents[2] / "shared"))


# A shell's background jobs ignore SIGINT, and so would every process that is interrupted here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data at {SHARED} (set MIEN_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def astronaut_path() -> Path:
    return ASTRONAUT


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """The picture that ships, BGR (512, 512, 3), read-only."""
    frame = np.ascontiguousarray(read_image(ASTRONAUT)[..., ::-1])
    frame.flags.writeable = False
    return frame


@pytest.fixture(scope="session")
def recognition() -> EmotionRecognition:
    """The shipped model and detector."""
    return EmotionRecognition()


@pytest.fixture(scope="session")
def ferplus_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set in FER+'s folders, easy to learn; nothing may write to it."""
    folder = tmp_path_factory.mktemp("ferplus")
    write_ferplus(folder)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture file without a face."""
    path = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), (120, 130, 140)).save(path)
    return path
