"""`mien validate`: how good a model file is."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from mien.cli import console
from mien.cli.image import Device, Model
from mien.cli.train import DataDirs
from mien.errors import ConfigError


def validate(
    data_dir: DataDirs,
    model: Model = "default",
    split: Annotated[
        Literal["valid", "test"], typer.Option(help="The part of the data set.")
    ] = "valid",
    report: Annotated[
        str | None,
        typer.Option(help="Folder for the report: a page, JSON and all logits.", metavar="PATH"),
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option("--robustness", help="Also measure how changed pictures are answered."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    device: Device = "cpu",
) -> None:
    """Measure a model file on FER+ or other data sets, by the strict-majority protocol."""
    from mien.evaluation.report import (
        CLASS_HEAD,
        ROBUSTNESS_HEAD,
        SETS_HEAD,
        certainty_rows,
        check_room,
        class_rows,
        robustness_rows,
        set_rows,
        summary_rows,
        write_reports,
    )
    from mien.evaluation.validation import validate_sets
    from mien.model_file import open_model

    opened = open_model(model, device)
    folder = None if report is None else Path(report)
    if folder is not None:
        if not report:
            raise ConfigError("an empty name came, expected a folder for the report")
        check_room(folder, len(data_dir))  # so that the test set is not read in vain
    with console.progress_bar("Changes") if robustness else nullcontext() as bar:
        results = validate_sets(opened, data_dir, split, robustness, bar.update if bar else None)
    if folder is not None:
        write_reports(folder, results)
        console.note(f"Report: {folder / 'report.html'}")
    if as_json:
        console.say(json.dumps(results.to_dict()))
        return
    result = results.together
    console.say(f"{result.model} on {result.split}: strict majority by the {result.votes}")
    if len(data_dir) > 1:
        console.table(SETS_HEAD, set_rows(results))
        console.say("All faces together:")
    console.table(("", ""), summary_rows(result))
    console.table(CLASS_HEAD, class_rows(result.scores.classes))
    console.table(("", ""), certainty_rows(result.certainty))
    for name, one in zip(data_dir, results.of_sets, strict=True):
        if one.change_scores:
            if len(data_dir) > 1:
                console.say(str(name))
            console.table(ROBUSTNESS_HEAD, robustness_rows(one.change_scores))
