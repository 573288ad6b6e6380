"""The models in the package."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from mien.errors import ModelError


class PackagedModel(NamedTuple):
    """A model file in this folder and its SHA-256."""

    file: str
    sha256: str


PACKAGED = {
    "default": PackagedModel(
        "default.onnx", "b6b9d30e177ade391396c1ae6fca78076058e9296b4fa051ac135782c19645ab"
    ),
    "default-int8": PackagedModel(
        "default-int8.onnx", "21422747f84b706bf02d26faa6dea6543b9737f0bd97ca76df125eee3de1386a"
    ),
}


def read_packaged(name: str) -> bytes:
    """The content of a packaged model.

    Raises:
        ModelError: the file is missing or is not the one that was packaged.
    """
    path = Path(__file__).parent / PACKAGED[name].file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the packaged model is missing; install mien again") from error
    if hashlib.sha256(content).hexdigest() != PACKAGED[name].sha256:
        raise ModelError(f"{path}: the packaged model is damaged; install mien again")
    return content
