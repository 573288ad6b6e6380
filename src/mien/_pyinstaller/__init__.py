"""What PyInstaller must know to put mien into an app; it asks by an entry point."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Where the hooks are."""
    return [str(Path(__file__).parent)]
