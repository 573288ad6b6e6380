"""Folders that are being made: an interrupted run goes on, and no two runs mix in one folder."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mien.datasets.csv_file import write_csv
from mien.datasets.cutting import Outcome
from mien.datasets.manifest import BEGUN_FILE, SET_FILE, PreparedSet, write_prepared
from mien.errors import DataError
from mien.files import replacing


def begin(out: Path, settings: Mapping[str, Any], plan: Iterable[object]) -> None:
    """Note in a folder what is being made there.

    Args:
        out: the folder; it is made where it is missing.
        settings: what the pictures follow from; anything that JSON takes.
        plan: what will be made, and of what; its text decides whether two runs make the same.

    Raises:
        DataError: the folder holds a finished set, one that was begun otherwise, or something
            else.
    """
    digest = hashlib.sha256("\n".join(map(str, plan)).encode(errors="surrogateescape")).hexdigest()
    values = {"settings": dict(settings), "plan": digest}
    begun = (json.dumps(values, indent=2) + "\n").encode()
    note = out / BEGUN_FILE
    if (out / SET_FILE).exists():
        raise DataError(f"{out}: holds a finished set of faces; choose a folder that is not there")
    if note.exists():
        if note.read_bytes() != begun:
            raise DataError(
                f"{out}: begun with other settings or from other files; "
                "choose another folder, or remove it"
            )
        return
    if out.is_dir() and any(path.suffix != ".part" for path in out.iterdir()):
        raise DataError(f"{out}: holds other files; choose a folder that is empty or not there")
    if not out.is_dir() and (out.exists() or out.is_symlink()):
        what = "a file" if out.exists() else "a link that leads nowhere"
        raise DataError(f"{out}: is {what}, expected a folder that is empty or not there")
    out.mkdir(parents=True, exist_ok=True)
    with replacing(note) as part:
        part.write_bytes(begun)


def finish(out: Path, planned: PreparedSet, outcomes: Sequence[Outcome]) -> PreparedSet:
    """Write what describes the set, which finishes the folder, and return it.

    Pictures that gave no face stand in `skipped.csv`; the report in the set's details counts
    them.

    Args:
        out: the folder.
        planned: the set as it would be had every picture given its face.
        outcomes: what came of the pictures, in the order of the set's faces.

    Raises:
        DataError: no picture gave a face.
    """
    pairs = list(zip(planned.faces, outcomes, strict=True))
    taken = tuple(face for face, outcome in pairs if outcome.verdict == "taken")
    skipped = [(face, outcome) for face, outcome in pairs if outcome.verdict != "taken"]
    if not taken:
        raise DataError(
            f"{out}: none of {len(pairs):,} pictures gave a face; "
            f"of the first: {skipped[0][1].verdict}"
        )
    counts = Counter(outcome.verdict for _, outcome in skipped)
    report = {**planned.details["report"], **counts, "faces": len(taken)}
    done = replace(planned, faces=taken, details={**planned.details, "report": report})
    rows = ((face.source, face.frame, *outcome) for face, outcome in skipped)
    write_csv(out / "skipped.csv", (("source", "frame", "why", "reason"), *rows))
    write_prepared(out, done)
    (out / BEGUN_FILE).unlink()
    return done
