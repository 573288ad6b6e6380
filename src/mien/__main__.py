"""The command `mien`, also as `python -m mien`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends with exit code 130, whenever it comes."""
    try:
        from mien.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
