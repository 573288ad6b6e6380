"""How a model is made and measured again: commands and settings, from stored reports."""

import json
from pathlib import PurePath
from typing import Any

from mien.datasets.vote_table import EDITIONS, TABLE_EDITION
from mien.evaluation.stored_report import Provenance, StoredReport

FERPLUS_PREPARATION = (
    "mien prepare ferplus --fer2013 fer2013.csv --ferplus fer2013new.csv --out ferplus"
)


def is_of_ferplus(report: StoredReport) -> bool:
    """Whether all that the model learnt from and was measured on is FER+."""
    return _editions(report) <= set(EDITIONS.values())


def making_commands(report: StoredReport) -> list[str]:
    """Those that train the model, from the settings in `settings.toml`, and make it small."""
    preparation = [FERPLUS_PREPARATION] if _editions(report) == {TABLE_EDITION} else []
    folder = _training_dirs(report)
    training = f"mien train --data-dir {folder} --model-path model.onnx --config settings.toml"
    return [*preparation, training, *_making_small(report.provenance, folder)]


def _making_small(provenance: Provenance, folder: str) -> list[str]:
    kept = provenance.kept_variance
    options = f"--data-dir {folder} --model-path small.onnx --kept-variance {kept}"
    if provenance.quantized:
        return [f"mien quantize model.onnx {options}"]
    return [f"mien export model.ckpt {options}"] if kept < 1 else []


def settings_toml(settings: dict[str, Any]) -> str:
    """Settings as TOML, whose values of these kinds JSON writes in the same way.

    Those of a machine are left out, and those that `mien train` refuses as idle.
    """
    idle = {"device", "threads"}
    if not settings.get("teacher"):
        idle |= {name for name in settings if name.startswith("teacher_")}
    elif settings.get("teacher_view") != "whole":
        idle |= {"teacher_whole_share"}
    return "\n".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in settings.items()
        if name not in idle
    )


def measuring_commands(report: StoredReport, other: StoredReport | None) -> list[str]:
    """Those that measure the model on one split or two, and write its card."""
    is_by_ferplus = set(report.votes.split("; ")) <= set(EDITIONS.values())
    folder = "ferplus" if is_by_ferplus else "DATA_DIR"
    name, split = PurePath(report.model).name, report.split
    model = f"--data-dir {folder} --model {name}"
    changed = " --robustness" if report.changes else ""
    lines = [f"mien validate {model} --split {split}{changed} --report {split}"]
    if report.not_faces is not None:
        lines.append(f"python benchmarks/not_faces.py {split} {name}")
    if other is None:
        return [*lines, f"mien card {split} --out model-card.md"]
    return [
        *lines,
        f"mien validate {model} --split {other.split} --report {other.split}",
        f"mien card {split} --other {other.split} --out model-card.md",
    ]


def _training_dirs(report: StoredReport) -> str:
    """One folder, or more, with the option between them."""
    train = report.provenance.data.get("train")
    if train and train.sets:
        places = range(1, len(train.sets) + 1)
        return " --data-dir ".join(f"DATA_DIR_{place}" for place in places)
    return "ferplus" if is_of_ferplus(report) else "DATA_DIR"


def _editions(report: StoredReport) -> set[str]:
    """Whose votes the model learnt from and was measured by."""
    known = [one.votes for one in report.provenance.data.values()] + [report.votes]
    return {edition for votes in known for edition in votes.split("; ")}
