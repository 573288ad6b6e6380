"""Files and streams as PyAV opens them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer


def open_container(place: str | Path, timeout_s: float | None = None) -> "InputContainer":
    """A file by its whole path, or an address; its titles may be in any encoding.

    Raises:
        av.FFmpegError, OSError, ValueError: it can't be read.
    """
    import av

    options: dict[str, Any] = {}
    if int(av.__version__.partition(".")[0]) < 19:  # later ones take all encodings by themselves
        options["metadata_errors"] = "replace"
    container: InputContainer = av.open(str(place), timeout=timeout_s, **options)
    return container
