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
        "default.onnx", "cebf739e45b3eb73d81b35f52833517556ac37162706a3e033488c1371b7cfef"
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
