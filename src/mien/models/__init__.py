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
        "default.onnx", "740e7d9f90f8c100d391fde26004857315e8343f1c7c10699728ad19cf954172"
    ),
    "default-int8": PackagedModel(
        "default-int8.onnx", "e9653a5e5f1b4ca7b23c47369197896848500c9e22a11b4748d3f1a165e3e4f6"
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
