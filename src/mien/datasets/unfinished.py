"""Folders that are being made: an interrupted run goes on, and no two runs mix in one folder."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mien.datasets.manifest import SET_FILE, PreparedSet, write_prepared
from mien.errors import DataError
from mien.files import replacing

BEGUN_FILE = "begun.json"


def begin(out: Path, settings: Mapping[str, Any], plan: Iterable[object]) -> None:
    """Note in a folder what is being made there.

    Args:
        out: the folder; it is made where it is missing.
        settings: what the pictures follow from; anything that JSON takes.
        plan: what will be made of what; its text decides whether two runs make the same.

    Raises:
        DataError: the folder holds a finished set, one that was begun otherwise, or something
            else.
    """
    digest = hashlib.sha256("\n".join(map(str, plan)).encode()).hexdigest()
    begun = json.dumps({"settings": dict(settings), "plan": digest}, indent=2) + "\n"
    note = out / BEGUN_FILE
    if (out / SET_FILE).exists():
        raise DataError(f"{out}: holds a finished set of faces; choose a folder that is not there")
    if note.exists():
        if note.read_text(encoding="utf-8") != begun:
            raise DataError(
                f"{out}: begun with other settings or from other files; "
                "choose another folder, or remove it"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out}: holds other files; choose a folder that is empty or not there")
    out.mkdir(parents=True, exist_ok=True)
    with replacing(note) as part:
        part.write_text(begun, encoding="utf-8")


def finish(out: Path, prepared: PreparedSet) -> None:
    """Write what describes the set; from here on the folder is finished."""
    write_prepared(out, prepared)
    (out / BEGUN_FILE).unlink()
