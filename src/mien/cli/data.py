"""`mien data`: looking at data sets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli import console
from mien.files import check_no_folder, check_writable

if TYPE_CHECKING:
    from mien.datasets.inspection import Inspection

#: So many broken files are named on the terminal; JSON has them all.
BROKEN_SHOWN = 10

app = typer.Typer(no_args_is_help=True, help="Look at data sets.")


@app.callback()
def _data() -> None:
    """Look at data sets."""


@app.command("inspect")
def inspect(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of FER+, or of prepared faces.")
    ],
    split: Annotated[
        list[str] | None, typer.Option(help="Look at train, valid or test alone; may be repeated.")
    ] = None,
    sheet: Annotated[
        Path, typer.Option(help="Where the contact sheet goes, a picture file.")
    ] = Path("contact-sheet.png"),
    faces: Annotated[int, typer.Option(min=1, help="Faces of every class on the sheet.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Count the pictures of a data set, find copies and broken files, and draw a contact sheet."""
    from mien.datasets.inspection import inspect as look
    from mien.images import format_of, write_image

    check_no_folder(sheet)
    format_of(sheet)  # refuses what could not be written later
    check_writable(sheet.parent)
    with console.progress_bar("Pictures") as bar:
        found = look(folder, split, bar.update)
    if as_json:
        console.say(json.dumps(found.to_dict()))
    else:
        _show(found)
    write_image(sheet, found.sheet(faces))
    console.note(f"Contact sheet: {sheet}")


def _show(found: "Inspection") -> None:
    splits = list(found.counts())
    console.table(("class", *(part for one in splits for part in (one, ""))), _count_rows(found))
    doubts = found.doubts()
    if doubts:
        console.say("Mean entropy of the votes or probabilities, in bits:")
        console.table(("class", *doubts), _doubt_rows(found))
    facts = {
        f"{one}: largest class over smallest": f"{ratio:,.1f}"
        for one, ratio in found.imbalance().items()
    }
    counts = {f"{one}: people or videos": count for one, count in found.groups().items()}
    counts |= found.copy_counts()
    counts["broken files"] = len(found.broken)
    facts |= {what: f"{count:,}" for what, count in counts.items()}
    console.table(("", ""), facts.items())
    for path, reason in list(found.broken.items())[:BROKEN_SHOWN]:
        console.say(f"{path}: {reason}")


def _count_rows(found: "Inspection") -> Iterator[list[str]]:
    """The pictures of every class in each split, and their share of it."""
    counts = found.counts()
    totals = {split: sum(of.values()) for split, of in counts.items()}
    for label in found.labels:
        row = [label]
        for split, of in counts.items():
            row += [f"{of[label]:,}", f"{of[label] / totals[split]:.1%}"]
        yield row
    yield ["all", *(part for total in totals.values() for part in (f"{total:,}", ""))]


def _doubt_rows(found: "Inspection") -> Iterator[list[str]]:
    doubts = found.doubts()
    for label in found.labels:
        yield [label, *(f"{of[label]:.2f}" if label in of else "" for of in doubts.values())]
