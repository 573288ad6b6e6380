"""The models in the package."""

import hashlib
from pathlib import Path

from mien.errors import ModelError

#: SHA-256 of NAME.onnx in this folder, by that name.
PACKAGED = {
    "default": "03e7027814fa4a5ce72a8906706663a29cfcff07dda1a27dc19240baa6906e03",
    "default-int8": "9673d13aaa134da061e859026608bc9096c5525979ff6a916e9384a5053a5544",
    "ferplus-alone": "f8b081086ab87a465d8f88da45917cb2130cea1a568aa9766739052bf3ed2636",
}


def read_packaged(name: str) -> bytes:
    """The content of a packaged model.

    Raises:
        ModelError: the file is missing or is not the one that was packaged.
    """
    path = Path(__file__).parent / f"{name}.onnx"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the packaged model is missing; install mien again") from error
    if hashlib.sha256(content).hexdigest() != PACKAGED[name]:
        raise ModelError(f"{path}: the packaged model is damaged; install mien again")
    return content
