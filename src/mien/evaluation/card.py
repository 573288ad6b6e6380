"""The model card: what a model is for, how good it is and where it fails, from stored reports.

Source of the form: Mitchell et al., "Model Cards for Model Reporting", 2019, arXiv 1810.03993.
"""

import os
from collections.abc import Sequence
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path, PurePath
from string import Template
from urllib.parse import quote

import numpy as np

from mien.errors import DataError
from mien.evaluation.certainty import Certainty
from mien.evaluation.markdown import bullets, code_block, escaped, table
from mien.evaluation.metrics import ClassScores, class_scores
from mien.evaluation.report import (
    CLASS_HEAD,
    UNSEEN_ACCURACY,
    area,
    class_rows,
    estimate,
    macro_f1_rows,
    percent,
    rate,
)
from mien.evaluation.reproduction import (
    is_of_ferplus,
    making_commands,
    measuring_commands,
    settings_toml,
)
from mien.evaluation.robustness import ChangeScores
from mien.evaluation.stored_report import Provenance, StoredReport
from mien.files import check_no_folder, replacing

FERPLUS_SETS = """\
The pictures are those of FER-2013 (Goodfellow et al. 2013): grey, 48 pixels wide, found by a web
search for words of emotion. The labels are those of FER+ (Barsoum et al. 2016): ten people have
named an expression for each."""
FERPLUS_LABELS = " Many of the faces are posed, and some are drawn."

#: Classes with fewer faces than this are counted over both splits as well.
RARE = 50
UNSTATED = "not stated"
CALIBRATED_ON = "Validation split, by which settings are chosen, and of which half calibrates"


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
    check_no_folder(path)
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
    if other.split == report.split or other.origin != report.origin:
        raise DataError(
            f"the other report is on the {other.split} split of {other.model}, expected "
            f"the split that is not {report.split}, of the same model"
        )
    if other.votes != report.votes:
        raise DataError(
            f"the other report is by the {other.votes}, expected the same data: {report.votes}"
        )


def card_text(
    report: StoredReport, other: StoredReport | None, cost: str, made: str | None, pictures: str
) -> str:
    """The card in Markdown, its pictures in the folder `pictures` beside it."""
    only_ferplus = is_of_ferplus(report)
    template = (files("mien") / "assets" / "model-card.md").read_text(encoding="utf-8")
    return Template(template).substitute(
        model=PurePath(report.model).name,
        labels=escaped(", ".join(report.labels)),
        data=bullets(map(escaped, _data(report))),
        sets=FERPLUS_SETS if only_ferplus else "These sets say what their pictures are.",
        labels_limit=FERPLUS_LABELS if only_ferplus else "",
        summary=table(("", ""), _summary(report)),
        classes=table(CLASS_HEAD, class_rows(_class_scores(report))),
        rare=_rare_classes(report, other),
        calibration_error=f"{report.scores.calibration_error:.2%}",
        certainty=bullets(_certainty(report.certainty)),
        candidates=table(
            ("Class", "Candidates hold it"),
            [
                (name, percent(held))
                for name, held in report.certainty.candidates_hold_of_class.items()
            ],
        ),
        not_faces=_not_faces(report),
        robustness=_robustness(report.changes),
        origin=bullets(_origin(report.provenance, cost)),
        making=_making(report, made),
        settings=settings_toml(report.settings),
        measuring=code_block(measuring_commands(report, other)),
        split=report.split,
        pictures=quote(os.fsencode(pictures)),
    )


def _data(report: StoredReport) -> list[str]:
    data = report.provenance.data
    lines = [
        f"{what}: {one.faces:,} faces, by the {one.votes}"
        for what, name in (("Training split", "train"), (CALIBRATED_ON, "valid"))
        if (one := data.get(name))
    ]
    lines.append(
        f"Measured here: {report.scores.accuracy.count:,} faces of the {report.split} "
        f"split that have a majority, by the {report.votes}"
    )
    if _is_fitted_on(report):
        lines.append(
            "By these very faces settings are chosen, and on half of them the calibration is "
            "fitted: on others the figures are less favourable"
        )
    return lines


def _is_fitted_on(report: StoredReport) -> bool:
    """Whether the model is chosen and calibrated by what it was measured on, as far as is known."""
    fitted = report.provenance.data.get("valid")
    if fitted is None or report.split != "valid":
        return False
    return any(
        one.votes == report.votes and report.faces in (one.faces, None)
        for one in (fitted, *fitted.sets)
    )


def _summary(report: StoredReport) -> list[tuple[str, str]]:
    scores = report.scores
    return [
        ("Accuracy", percent(scores.accuracy)),
        (UNSEEN_ACCURACY, percent(report.accuracy_without_training_duplicates)),
        *macro_f1_rows(scores),
        ("Negative log-likelihood", f"{scores.negative_log_likelihood:.3f} nats"),
        ("Brier score", f"{scores.brier:.3f}"),
        ("Divergence to the votes", f"{report.kullback_leibler_to_votes:.3f} nats"),
    ]


def _class_scores(*reports: StoredReport) -> tuple[ClassScores, ...]:
    """Scores of each class over the faces of reports, counted anew."""
    confusion = sum(np.array(one.scores.confusion) for one in reports)
    return class_scores(np.asarray(confusion), reports[0].labels)


def _rare_classes(report: StoredReport, other: StoredReport | None) -> str:
    if other is None or other.labels != report.labels:
        return ""
    both = _class_scores(report, other)
    rare = [
        joint for joint, one in zip(both, report.scores.classes, strict=True) if one.count < RARE
    ]
    if not rare:
        return ""
    text = (
        f"The rarest classes over the {report.split} and the {other.split} split together:\n\n"
        f"{table(CLASS_HEAD, class_rows(rare))}\n\n"
    )
    if _is_fitted_on(report) or _is_fitted_on(other):
        text += (
            "Settings are chosen and the calibration is fitted on the validation split, so its "
            "part is less strict.\n\n"
        )
    return text


def _certainty(certainty: Certainty) -> list[str]:
    return [
        f"The candidates hold the label in {percent(certainty.candidates_hold)}; "
        f"there are {certainty.mean_candidates:.2f} of them on average.",
        f"Without the 15 % with the highest uncertainty, {percent(certainty.told_accuracy)} are "
        "right.",
        f"Marked as uncertain are {percent(certainty.uncertain)}; of the rest "
        f"{percent(certainty.accuracy_unless_uncertain)} are right.",
        "Between faces without a majority for an emotion and faces with one, the area under the "
        f"ROC curve of the uncertainty is {area(certainty.ambiguity_auroc)}.",
    ]


def _not_faces(report: StoredReport) -> str:
    lost = [one for one in report.changes if not one.keeps_face]
    rows = [(one.change, rate(one.uncertain), area(one.likeness_auroc)) for one in lost]
    text = ""
    if report.not_faces is not None:
        found = report.not_faces
        text = (
            f"Of cuts without a face, {percent(found.uncertain, of='cuts')} come out as uncertain; "
            "the area under the ROC curve of face likeness between faces and these cuts is "
            f"{area(found.likeness_auroc)}. No such picture or pattern served the "
            "fitting; halves and tiny copies of other faces did.\n\n"
        )
        told = [(one.kind, rate(one.uncertain), area(one.likeness_auroc)) for one in found.kinds]
        rows = told + rows
    if not rows:
        return "Not measured."
    return text + table(("What the cut shows", "Uncertain", "Area under the ROC curve"), rows)


def _robustness(changes: Sequence[ChangeScores]) -> str:
    kept = [one for one in changes if one.keeps_face]
    if not kept:
        return "Not measured."
    rows = [
        (one.change, estimate(one.accuracy), f"{100 * one.loss:.1f}", rate(one.uncertain))
        for one in kept
    ]
    head = ("Change", "Accuracy", "Loss, points", "Uncertain")
    return f"The loss is against the same faces unchanged.\n\n{table(head, rows)}"


def _origin(provenance: Provenance, cost: str) -> list[str]:
    settings = provenance.settings
    names = [PurePath(one).name for one in settings.teacher]
    digests = map(_digest, provenance.teacher_digests)
    teachers = [f"{name}{digest}" for name, digest in zip_longest(names, digests, fillvalue="")]
    return [
        f"Made by mien {_stated(provenance.mien)}, source at commit "
        f"{_stated(provenance.commit)}, on {_stated(provenance.date)}",
        f"Trained for {_stated(provenance.epochs_done)} epochs, {_stated(provenance.steps)} steps",
        f"Teachers: {', '.join(teachers) or 'none'}",
        f"Weights it began with: {PurePath(settings.initial_weights or 'random').name}"
        + _digest(provenance.initial_digest),
        *_changes_afterwards(provenance),
        f"Cost of the training: {cost}",
    ]


def _stated(value: object) -> object:
    return UNSTATED if value is None else value


def _digest(sha256: str | None) -> str:
    return f" (SHA-256 {sha256[:12]}...)" if sha256 else ""


def _changes_afterwards(provenance: Provenance) -> list[str]:
    """What was done to the trained network."""
    changes = list(provenance.changes)
    if (kept := provenance.kept_variance) < 1:
        changes.append(f"Large kernels in two, which keep {100 * kept:.4g} % of their variance")
    if provenance.quantized:
        changes.append(f"Quantised: {provenance.quantized}")
    return changes


def _making(report: StoredReport, made: str | None) -> str:
    if made is not None:
        return f"{made}\n\nThe settings of the last training:"
    return f"{code_block(making_commands(report))}\n\nwith these `settings.toml`:"
