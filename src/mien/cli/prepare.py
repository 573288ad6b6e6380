"""`mien prepare`: making data sets."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mien.cli import console

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
