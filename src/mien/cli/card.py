"""`mien card`: a model card from what `mien validate` has stored."""

from pathlib import Path
from typing import Annotated

import typer

from mien.cli import console


def card(
    report: Annotated[Path, typer.Argument(help="Report folder of 'mien validate'.")],
    out: Annotated[Path, typer.Option(help="The card to write (Markdown).")] = Path(
        "model-card.md"
    ),
    other: Annotated[
        Path | None,
        typer.Option(help="Report on the other split, to count rare classes over both."),
    ] = None,
    cost: Annotated[str, typer.Option(help="What the training took, in words.")] = "not stated",
    made: Annotated[
        str | None,
        typer.Option(help="How the model was made (Markdown), if not by one training on its data."),
    ] = None,
) -> None:
    """Write a model card, and its pictures into a folder beside it."""
    from mien.evaluation.card import write_card
    from mien.evaluation.stored_report import read_report

    write_card(out, read_report(report), read_report(other) if other else None, cost, made)
    console.say(f"Model card: {out}")
