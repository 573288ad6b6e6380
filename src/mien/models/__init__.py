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
        "default.onnx", "f01a8c1faec36b7a3182e339edd3a0083a5f890729149a7c679131e752d42fbd"
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
