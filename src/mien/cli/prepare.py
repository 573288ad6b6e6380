"""`mien prepare`: making data sets."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mien.cli import console

if TYPE_CHECKING:
    from mien.datasets.manifest import PreparedSet

app = typer.Typer(no_args_is_help=True, help="Make data sets to train on.")


@app.callback()
def _prepare() -> None:
    """Make data sets to train on."""


@app.command("ferplus")
def ferplus(
    fer2013: Annotated[
        Path,
        typer.Option(
            help="FER-2013: fer2013.csv or icml_face_data.csv, also in .xz, .gz, .zip or .tar.gz."
        ),
    ],
    ferplus: Annotated[Path, typer.Option(help="FER+'s votes: fer2013new.csv.")],
    out: Annotated[Path, typer.Option(help="Folder for FER2013Train, FER2013Valid, FER2013Test.")],
    labels: Annotated[
        Literal["keep", "replace"] | None,
        typer.Option(help="Keep or replace label files in OUT that hold other votes."),
    ] = None,
) -> None:
    """Join FER-2013's pictures and FER+'s votes into the folders of the FER+ data set."""
    from mien.datasets.ferplus import prepare

    with console.progress_bar("Writing images") as bar:
        counts = prepare(fer2013, ferplus, out, labels, bar.update)
    for split, count in counts.items():
        console.say(f"{split:6}{count:7,} images")


Out = Annotated[Path, typer.Option(help="Folder for the faces; one that is empty or not there.")]
Size = Annotated[int, typer.Option(help="Side of the pictures, in pixels.")]
Seed = Annotated[int, typer.Option(help="Another seed draws otherwise.")]
Processes = Annotated[int, typer.Option(help="How many processes work at once.")]


@app.command("affwild2")
def affwild2(
    frames: Annotated[
        list[Path],
        typer.Option(help="Folder with cropped frames, VIDEO/00001.jpg; may be repeated."),
    ],
    annotations: Annotated[
        list[Path],
        typer.Option(help="Folder with one or several editions; may be repeated, best first."),
    ],
    out: Out,
    per_video: Annotated[int, typer.Option(help="Frames of every person in a video.")] = 8,
    size: Size = 112,
    seed: Seed = 0,
    keep_other: Annotated[
        bool, typer.Option("--keep-other", help="Keep the class Other, as 'other'.")
    ] = False,
    processes: Processes = 1,
) -> None:
    """Take a few frames of every video of Aff-Wild2, as one folder a split and class."""
    from mien.datasets.affwild2 import prepare

    with console.progress_bar("Aff-Wild2") as bar:
        prepared = prepare(
            *(frames, annotations, out, per_video, size, seed, keep_other, processes), bar.update
        )
    console.table(("split", *prepared.labels, "all"), _count_rows(prepared))
    console.table(("", ""), ((what, f"{n:,}") for what, n in prepared.details["report"].items()))


def _count_rows(prepared: "PreparedSet") -> Iterator[list[str]]:
    """The faces of every split by class."""
    counts = Counter((face.split, face.emotion) for face in prepared.faces)
    for split in dict.fromkeys(face.split for face in prepared.faces):
        row = [counts[split, label] for label in prepared.labels]
        yield [split, *(f"{count:,}" for count in [*row, sum(row)])]
