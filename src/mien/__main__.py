"""The command `mien`, also as `python -m mien`."""

import os
import sys
from pathlib import Path

#: What servers lack for OpenCV.
GRAPHICS = ("libGL", "libgthread", "libglib")


def main() -> None:
    """Run the command line; Ctrl-C ends with exit code 130, whenever it comes."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it is closed: what is said goes nowhere
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    try:
        from mien.cli.app import app

        app(windows_expand_args=False)  # patterns are mien's own to read
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:
        if not any(name in str(error) for name in GRAPHICS):
            raise
        sys.exit(f"mien: OpenCV lacks a library ({error}): apt-get install libgl1 libglib2.0-0")


if __name__ == "__main__":
    main()
