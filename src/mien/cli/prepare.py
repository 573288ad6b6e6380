"""`mien prepare`: making data sets."""

from collections import Counter
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
    """Take a few frames of every video of Aff-Wild2, as one folder per split and class."""
    from mien.datasets.affwild2 import prepare

    with console.progress_bar("Aff-Wild2") as bar:
        prepared = prepare(
            *(frames, annotations, out, per_video, size, seed, keep_other, processes), bar.update
        )
    _show(prepared, out)


@app.command("folder")
def folder(
    images: Annotated[Path, typer.Option(help="Folder with the pictures, in it or below.")],
    out: Out,
    class_map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            help="CSV file class,emotion: what classes are; empty: left out; own name: kept.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV file path,label or path,p_<class>...; also split and group."),
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are cut-out faces: only scale them.")
    ] = False,
    several: Annotated[
        Literal["skip", "largest"], typer.Option(help="What to do with several faces.")
    ] = "skip",
    group: Annotated[
        str | None, typer.Option(help="Regular expression: the person or video in a path.")
    ] = None,
    valid_share: Annotated[
        float | None, typer.Option(help="Part to validate on, where none is given (0.1).")
    ] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Part to test on, where none is given (0).")
    ] = None,
    size: Size = 112,
    seed: Seed = 0,
    processes: Processes = 1,
) -> None:
    """Find and cut the faces of pictures in folders named by class, or in a table."""
    from mien.datasets.cutting import Cut
    from mien.datasets.folder import prepare

    how = Cut(size, cropped, several)
    with console.progress_bar("Faces") as bar:
        prepared = prepare(
            *(images, out, labels, class_map, group, how, valid_share, test_share, seed),
            *(processes, bar.update),
        )
    _show(prepared, out)


def _show(prepared: "PreparedSet", out: Path) -> None:
    """Faces by split and class, and what became of everything else."""
    counts = Counter((face.split, face.emotion) for face in prepared.faces)
    splits = list(dict.fromkeys(face.split for face in prepared.faces))
    rows = {label: [counts[split, label] for split in splits] for label in prepared.labels}
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    table = ([name, *(f"{count:,}" for count in row)] for name, row in rows.items())
    console.table(("class", *splits), table)
    report = prepared.details["report"]
    console.table(("", ""), ((what, f"{count:,}") for what, count in report.items()))
    if {"no face", "several faces", "damaged"} & report.keys():
        console.note(f"What gave no face stands in {out / 'skipped.csv'}")
