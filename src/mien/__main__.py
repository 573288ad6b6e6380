"""The command `mien`, also as `python -m mien`."""

import sys

#: What servers lack for OpenCV.
GRAPHICS = ("libGL", "libgthread", "libglib")


def main() -> None:
    """Run the command line; Ctrl-C ends with exit code 130, whenever it comes."""
    try:
        from mien.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:
        if not any(name in str(error) for name in GRAPHICS):
            raise
        sys.exit(f"mien: OpenCV lacks a library ({error}): apt-get install libgl1 libglib2.0-0")


if __name__ == "__main__":
    main()
