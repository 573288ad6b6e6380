"""The model card: what a model is for, how good it is and where it fails, from stored reports.

Source of the form: Mitchell et al., "Model Cards for Model Reporting", 2019, arXiv 1810.03993.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path, PurePath
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np

from mien.datasets.vote_table import EDITIONS, TABLE_EDITION
from mien.errors import ConfigError, DataError
from mien.evaluation.certainty import Certainty
from mien.evaluation.metrics import CALIBRATION_BINS, ClassScores, Scores, Share, class_scores
from mien.evaluation.plain import Count, Portion, from_plain
from mien.evaluation.report import (
    CLASS_HEAD,
    UNSEEN_ACCURACY,
    class_rows,
    estimate,
    macro_f1_rows,
    percent,
    rate,
)
from mien.evaluation.robustness import ChangeScores
from mien.files import replacing

FERPLUS_SETS = """\
The pictures are those of FER-2013 (Goodfellow et al. 2013): grey, 48 pixels wide, found by a web
search for words of emotion. The labels are those of FER+ (Barsoum et al. 2016): ten people have
named an expression for each."""
FERPLUS_LABELS = " Many of the faces are posed, and some are drawn."
FERPLUS_PREPARATION = (
    "mien prepare ferplus --fer2013 fer2013.csv --ferplus fer2013new.csv --out ferplus"
)

#: Classes with fewer faces than this are counted over both splits as well.
RARE = 50
UNSTATED = "not stated"


CALIBRATED_ON = "Validation split, by which settings are chosen, and of which half calibrates"
#: The share of the faces, the least uncertain ones, whose accuracy a card tells.
COVERAGE = 0.85


@dataclass(frozen=True)
class KindOfCut:
    """How often cuts without a face of a kind come out as uncertain, and how well they are told."""

    kind: str
    uncertain: Share
    likeness_auroc: Portion | None


@dataclass(frozen=True)
class NotFaces:
    """The same of all cuts without a face, and of every kind."""

    uncertain: Share
    likeness_auroc: Portion | None
    kinds: tuple[KindOfCut, ...]


@dataclass(frozen=True)
class DescribedData:
    """What a model file says of the faces of a split."""

    faces: Count
    votes: str
    sets: tuple["DescribedData", ...] = ()


@dataclass(frozen=True)
class TeachingSettings:
    """Those of a model's settings that a card puts into words."""

    teacher: tuple[str, ...] = ()
    initial_weights: str | None = None


@dataclass(frozen=True)
class Provenance:
    """What a card puts into words of where a model comes from, each part if it is known."""

    data: dict[str, DescribedData] = field(default_factory=dict)
    settings: TeachingSettings = TeachingSettings()
    teacher_digests: tuple[str, ...] = ()
    initial_digest: str | None = None
    changes: tuple[str, ...] = ()
    kept_variance: Portion = 1


@dataclass(frozen=True)
class FurtherValues:
    """What a card needs of `scores.json` beside scores."""

    model: str
    split: str
    votes: str
    labels: tuple[str, ...]
    provenance: Provenance
    accuracy_without_training_duplicates: Share | None
    kullback_leibler_to_votes: float
    certainty: Certainty
    robustness: tuple[ChangeScores, ...] | None
    faces: Count | None = None


@dataclass(frozen=True)
class StoredReport:
    """What `mien validate` stored of one split.

    Attributes:
        values: all of `scores.json`.
        scores: its scores.
        certainty: its certainty.
        changes: its scores of changed faces; none if they were not measured.
        not_faces: answers to cuts without a face, from `not_faces.json`; None without that file.
    """

    values: dict[str, Any]
    scores: Scores
    certainty: Certainty
    changes: tuple[ChangeScores, ...]
    not_faces: NotFaces | None


def read_report(folder: Path) -> StoredReport:
    """Read the JSON files of a report's folder.

    Raises:
        DataError: a file is missing, damaged, of an earlier version of mien, or of another model.
    """
    path, not_faces_path = folder / "scores.json", folder / "not_faces.json"
    if not path.is_file():
        raise DataError(f"{folder}: no scores.json, so no report of 'mien validate'")
    not_faces = measured = None
    if not_faces_path.is_file():
        with _reading(not_faces_path, "benchmarks/not_faces.py") as values:
            not_faces, measured = from_plain(NotFaces, values), values["model"]
    with _reading(path, "mien validate") as values:
        further, scores = from_plain(FurtherValues, values), from_plain(Scores, values)
        if measured not in (None, further.model):
            raise DataError(f"{not_faces_path}: of {measured}, expected of {further.model}")
        _check_agreement(scores, further)
        changes = further.robustness or ()
        return StoredReport(values, scores, further.certainty, changes, not_faces)


def _check_agreement(scores: Scores, further: FurtherValues) -> None:
    """Raise ValueError unless what is stored speaks of the same classes and faces."""
    labels, certainty = further.labels, further.certainty
    counts = [one.count for one in scores.classes]
    confusion = np.array(scores.confusion, dtype=np.int64)
    if confusion.shape != (len(labels), len(labels)) or confusion.sum(axis=1).tolist() != counts:
        raise ValueError(f"confusion is {scores.confusion!r:.100}")
    for names in ([one.label for one in scores.classes], certainty.candidates_hold_of_class):
        if tuple(names) != labels:
            raise ValueError(f"{', '.join(names)} came, expected the labels {', '.join(labels)}")
    if len(scores.bins) != CALIBRATION_BINS:
        raise ValueError(f"{len(scores.bins)} bins, expected {CALIBRATION_BINS}")
    if COVERAGE not in [one.coverage for one in certainty.risk_coverage]:
        raise ValueError(f"risk_coverage does not tell of {COVERAGE}")


@contextmanager
def _reading(path: Path, maker: str) -> Iterator[dict[str, Any]]:
    """The values of a JSON file; what they lack inside is an error that says who makes it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError(f"a {type(values).__name__}, expected an object")
        yield values
    except DataError:
        raise
    except KeyError as error:
        raise DataError(f"{path}: lacks {error}; make it again with '{maker}'") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: damaged ({error})") from error


def write_card(
    path: Path,
    report: StoredReport,
    other: StoredReport | None = None,
    cost: str = UNSTATED,
    made: str | None = None,
) -> None:
    """Write a model card, and its pictures into a folder beside it.

    Args:
        path: the card.
        report: what the card is about.
        other: the report on the other split, to count rare classes over both.
        cost: what the training took, in words.
        made: how the model was made, in Markdown, if not by one training on its data.

    Raises:
        ConfigError: the path is a folder.
        DataError: the other report is on the same split, on other data, or on another model.
    """
    if not path.name or path.is_dir():
        raise ConfigError(f"{path}: is a folder, expected the name of a file")
    if other is not None:
        _check_other(report, other)
    from mien.evaluation.figures import confusion_figure, reliability_figure, risk_coverage_figure

    pictures = path.with_name(f"{path.stem}-pictures")
    text = card_text(report, other, cost, made, pictures.name)
    pictures.mkdir(parents=True, exist_ok=True)
    for name, figure in (
        ("confusion", confusion_figure(report.scores)),
        ("reliability", reliability_figure(report.scores)),
        ("risk-coverage", risk_coverage_figure(report.certainty.risk_coverage)),
    ):
        with replacing(pictures / f"{name}.png") as part:
            figure.savefig(part, format="png", dpi=130)
    with replacing(path) as part:
        part.write_bytes(text.encode(errors="backslashreplace"))


def _check_other(report: StoredReport, other: StoredReport) -> None:
    """Faces of two reports are counted together only if they are of one model and two splits."""
    ours, theirs = report.values, other.values
    if theirs["split"] == ours["split"] or theirs["provenance"] != ours["provenance"]:
        raise DataError(
            f"the other report is on the {theirs['split']} split of {theirs['model']}, expected "
            f"the split that is not {ours['split']}, of the same model"
        )
    if theirs["votes"] != ours["votes"]:
        raise DataError(
            f"the other report is by the {theirs['votes']}, expected the same data: {ours['votes']}"
        )


def card_text(
    report: StoredReport, other: StoredReport | None, cost: str, made: str | None, pictures: str
) -> str:
    """The card in Markdown, its pictures in the folder `pictures` beside it."""
    values, provenance = report.values, report.values["provenance"]
    return Template(_template()).substitute(
        model=PurePath(values["model"]).name,
        labels=_escaped(", ".join(values["labels"])),
        data=_bullets(_data(report)),
        sets=FERPLUS_SETS if _is_of_ferplus(values) else "These sets say what their pictures are.",
        labels_limit=FERPLUS_LABELS if _is_of_ferplus(values) else "",
        summary=_table(("", ""), _summary(report)),
        classes=_table(CLASS_HEAD, class_rows(_class_scores(report))),
        rare=_rare_classes(report, other),
        calibration_error=f"{report.scores.calibration_error:.2%}",
        certainty=_bullets(_certainty(report.certainty)),
        candidates=_table(
            ("Class", "Candidates hold it"),
            [
                (name, percent(held))
                for name, held in report.certainty.candidates_hold_of_class.items()
            ],
        ),
        not_faces=_not_faces(report),
        robustness=_robustness(report.changes),
        origin=_bullets(_origin(provenance, cost)),
        making=_making(values, made),
        settings=_toml(_that_count(provenance.get("settings", {}))),
        measuring=_code(_measuring(report, other)),
        split=values["split"],
        pictures=quote(os.fsencode(pictures)),
    )


def _template() -> str:
    return (files("mien") / "assets" / "model-card.md").read_text(encoding="utf-8")


def _is_of_ferplus(values: dict[str, Any]) -> bool:
    """Whether all that the model learnt from and was measured on is FER+."""
    return _editions(values) <= set(EDITIONS.values())


def _is_by_ferplus(values: dict[str, Any]) -> bool:
    """Whether all that it was measured on is FER+."""
    return set(values["votes"].split("; ")) <= set(EDITIONS.values())


def _editions(values: dict[str, Any]) -> set[str]:
    """Whose votes the model learnt from and was measured by."""
    data = values["provenance"].get("data", {})
    known = [one["votes"] for one in data.values()] + [values["votes"]]
    return {edition for votes in known for edition in votes.split("; ")}


def _data(report: StoredReport) -> list[str]:
    data = report.values["provenance"].get("data", {})
    lines = [
        f"{what}: {one['faces']:,} faces, by the {one['votes']}"
        for what, name in (("Training split", "train"), (CALIBRATED_ON, "valid"))
        if (one := data.get(name))
    ]
    lines.append(
        f"Measured here: {report.scores.accuracy.count:,} faces of the {report.values['split']} "
        f"split that have a majority, by the {report.values['votes']}"
    )
    if _is_fitted_on(report.values):
        lines.append(
            "By these very faces settings are chosen, and on half of them the calibration is "
            "fitted: on others the figures are less favourable"
        )
    return lines


def _is_fitted_on(values: dict[str, Any]) -> bool:
    """Whether the model is chosen and calibrated by what it was measured on, as far as is known."""
    fitted = values["provenance"].get("data", {}).get("valid", {})
    measured = (values["votes"], values.get("faces"))
    return values["split"] == "valid" and any(
        measured in ((one.get("votes"), one.get("faces")), (one.get("votes"), None))
        for one in (fitted, *fitted.get("sets", ()))
    )


def _summary(report: StoredReport) -> list[tuple[str, str]]:
    scores, values = report.scores, report.values
    unseen = values["accuracy_without_training_duplicates"]
    return [
        ("Accuracy", percent(scores.accuracy)),
        (UNSEEN_ACCURACY, percent(unseen and from_plain(Share, unseen))),
        *macro_f1_rows(scores),
        ("Negative log-likelihood", f"{scores.negative_log_likelihood:.3f} nats"),
        ("Brier score", f"{scores.brier:.3f}"),
        ("Divergence to the votes", f"{values['kullback_leibler_to_votes']:.3f} nats"),
    ]


def _class_scores(*reports: StoredReport) -> tuple[ClassScores, ...]:
    """Scores of each class over the faces of reports, counted anew."""
    confusion = sum(np.array(one.scores.confusion) for one in reports)
    return class_scores(np.asarray(confusion), reports[0].values["labels"])


def _rare_classes(report: StoredReport, other: StoredReport | None) -> str:
    if other is None or other.values["labels"] != report.values["labels"]:
        return ""
    both = _class_scores(report, other)
    rare = [
        joint for joint, one in zip(both, report.scores.classes, strict=True) if one.count < RARE
    ]
    if not rare:
        return ""
    text = (
        f"The rarest classes over the {report.values['split']} and the "
        f"{other.values['split']} split together:\n\n{_table(CLASS_HEAD, class_rows(rare))}\n\n"
    )
    if _is_fitted_on(report.values) or _is_fitted_on(other.values):
        text += (
            "Settings are chosen and the calibration is fitted on the validation split, so its "
            "part is less strict.\n\n"
        )
    return text


def _certainty(certainty: Certainty) -> list[str]:
    at_85 = next(one for one in certainty.risk_coverage if one.coverage == COVERAGE)
    return [
        f"The candidates hold the label in {percent(certainty.candidates_hold)}; "
        f"there are {certainty.mean_candidates:.2f} of them on average.",
        f"Without the 15 % with the highest uncertainty, {percent(at_85.accuracy)} are right.",
        f"Marked as uncertain are {percent(certainty.uncertain)}; of the rest "
        f"{percent(certainty.accuracy_unless_uncertain)} are right.",
        "Between faces without a majority for an emotion and faces with one, the area under the "
        f"ROC curve of the uncertainty is {_area(certainty.ambiguity_auroc)}.",
    ]


def _not_faces(report: StoredReport) -> str:
    lost = [one for one in report.changes if not one.keeps_face]
    rows = [(one.change, rate(one.uncertain), _area(one.likeness_auroc)) for one in lost]
    text = ""
    if report.not_faces is not None:
        found = report.not_faces
        text = (
            f"Of cuts without a face, {percent(found.uncertain, of='cuts')} come out as uncertain; "
            "the area under the ROC curve of face likeness between faces and these cuts is "
            f"{_area(found.likeness_auroc)}. No such picture or pattern served the "
            "fitting; halves and tiny copies of other faces did.\n\n"
        )
        told = [(one.kind, rate(one.uncertain), _area(one.likeness_auroc)) for one in found.kinds]
        rows = told + rows
    if not rows:
        return "Not measured."
    return text + _table(("What the cut shows", "Uncertain", "Area under the ROC curve"), rows)


def _robustness(changes: Sequence[ChangeScores]) -> str:
    kept = [one for one in changes if one.keeps_face]
    if not kept:
        return "Not measured."
    rows = [
        (one.change, estimate(one.accuracy), f"{100 * one.loss:.1f}", rate(one.uncertain))
        for one in kept
    ]
    head = ("Change", "Accuracy", "Loss, points", "Uncertain")
    return f"The loss is against the same faces unchanged.\n\n{_table(head, rows)}"


def _origin(provenance: dict[str, Any], cost: str) -> list[str]:
    settings = provenance.get("settings", {})
    names = [PurePath(one).name for one in settings.get("teacher", ())]
    digests = map(_digest, provenance.get("teacher_digests", ()))
    teachers = [f"{name}{digest}" for name, digest in zip_longest(names, digests, fillvalue="")]
    return [
        f"Made by mien {provenance.get('mien', UNSTATED)}, source at commit "
        f"{provenance.get('commit') or UNSTATED}, on {provenance.get('date', UNSTATED)}",
        f"Trained for {provenance.get('epochs_done', UNSTATED)} epochs, "
        f"{provenance.get('steps', UNSTATED)} steps",
        f"Teachers: {', '.join(teachers) or 'none'}",
        f"Weights it began with: {PurePath(settings.get('initial_weights') or 'random').name}"
        + _digest(provenance.get("initial_digest")),
        *_changes_afterwards(provenance),
        f"Cost of the training: {cost}",
    ]


def _digest(sha256: str | None) -> str:
    return f" (SHA-256 {sha256[:12]}...)" if sha256 else ""


def _changes_afterwards(provenance: dict[str, Any]) -> list[str]:
    """What was done to the trained network."""
    kept = provenance.get("kept_variance", 1)
    return [
        *provenance.get("changes", ()),
        *(
            []
            if kept == 1
            else [f"Large kernels in two, which keep {100 * kept:.4g} % of their variance"]
        ),
        *([f"Quantised: {how}"] if (how := provenance.get("quantized")) else []),
    ]


def _making(values: dict[str, Any], made: str | None) -> str:
    if made is not None:
        return f"{made}\n\nThe settings of the last training:"
    preparation = [FERPLUS_PREPARATION] if _editions(values) == {TABLE_EDITION} else []
    folder = _training_dirs(values)
    training = f"mien train --data-dir {folder} --model-path model.onnx --config settings.toml"
    commands = [*preparation, training, *_making_small(values, folder)]
    return f"{_code(commands)}\n\nwith these `settings.toml`:"


def _making_small(values: dict[str, Any], folder: str) -> list[str]:
    provenance = values["provenance"]
    options = f"--data-dir {folder} --model-path small.onnx"
    options += f" --kept-variance {provenance.get('kept_variance', 1)}"
    if "quantized" in provenance:
        return [f"mien quantize model.onnx {options}"]
    return [f"mien export model.ckpt {options}"] if provenance.get("kept_variance", 1) < 1 else []


def _measuring(report: StoredReport, other: StoredReport | None) -> list[str]:
    values = report.values
    folder = "ferplus" if _is_by_ferplus(values) else "DATA_DIR"
    model = f"--data-dir {folder} --model {PurePath(values['model']).name}"
    split, changed = values["split"], " --robustness" if report.changes else ""
    lines = [f"mien validate {model} --split {split}{changed} --report {split}"]
    if report.not_faces is not None:
        lines.append(f"python benchmarks/not_faces.py {split} {PurePath(values['model']).name}")
    if other is None:
        return [*lines, f"mien card {split} --out model-card.md"]
    second = other.values["split"]
    return [
        *lines,
        f"mien validate {model} --split {second} --report {second}",
        f"mien card {split} --other {second} --out model-card.md",
    ]


def _training_dirs(values: dict[str, Any]) -> str:
    """One folder, or more, with the option between them."""
    train = values["provenance"].get("data", {}).get("train", {})
    if sets := len(train.get("sets", ())):
        return " --data-dir ".join(f"DATA_DIR_{place}" for place in range(1, sets + 1))
    return "ferplus" if _is_of_ferplus(values) else "DATA_DIR"


def _that_count(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without those of a machine, and without those that `mien train` refuses as idle."""
    idle = {"device", "threads"}
    if not settings.get("teacher"):
        idle |= {name for name in settings if name.startswith("teacher_")}
    elif settings.get("teacher_view") != "whole":
        idle |= {"teacher_whole_share"}
    return {name: value for name, value in settings.items() if name not in idle}


def _code(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _toml(settings: dict[str, Any]) -> str:
    """Settings as TOML, whose values of these kinds JSON writes in the same way."""
    return "\n".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()
    )


def _area(auroc: float | None) -> str:
    return "not measured" if auroc is None else f"{auroc:.3f}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, also in a table; class names may hold anything."""
    return re.sub(r"[\\|*<&`\[]", r"\\\g<0>", text)
