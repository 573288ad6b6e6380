"""The report of a validation: a page with pictures, the scores as JSON, and all logits."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.classification import Classification
from mien.datasets.csv_file import csv_line
from mien.errors import ConfigError
from mien.evaluation.certainty import Certainty
from mien.evaluation.metrics import ClassScores, Estimate, Scores, Share
from mien.evaluation.robustness import ChangeScores
from mien.evaluation.validation import Validation, Validations
from mien.files import check_writable, replacing

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr { border-bottom: 1px solid #ddd; }
img { max-width: 100%; height: auto; } .pair { display: flex; flex-wrap: wrap; gap: 1rem; }
.pair img { flex: 1 1 24rem; min-width: 0; }
</style>
</head>
<body>
<h1>$title</h1>
<p>Faces count if more than half of the crowd's votes, single votes set aside, agree on a
class. Votes: $votes.</p>
<table>$summary</table>
<h2>Classes</h2>
<p><img src="$classes" alt="Precision, recall and F1 of each class"></p>
<table>$class_rows</table>
<h2>Mistakes and certainty</h2>
<div class="pair">
<img src="$confusion" alt="Confusion matrix">
<img src="$reliability" alt="Reliability diagram">
<img src="$risk_coverage" alt="Accuracy by the share of faces that is kept">
</div>
<table>$certainty_rows</table>
$robustness
</body>
</html>
""")


#: All that a report's folder may hold; the last two are of `benchmarks/not_faces.py`.
REPORT_FILES = (
    *("report.html", "scores.json", "logits.csv", "robustness.csv"),
    *("not_faces.json", "not_faces.csv"),
)
#: What `scores.json` calls the data sets, where the report is on several.
SETS_KEY = "sets"


def write_report(folder: Path, result: Validation) -> None:
    """Write `report.html`, `scores.json` and `logits.csv` into a folder.

    `robustness.csv` with the logits of the changed faces joins them where those were measured.
    """
    _write(folder, result, result.to_dict())


def write_reports(folder: Path, results: Validations) -> None:
    """Write a report; of several data sets of all faces together, and in 1, 2, ... of each set.

    The `scores.json` of all then names the sets, so that a later report knows what goes with it.
    """
    earlier = _set_reports(folder, len(_sets_of_report(folder)))
    sets = [str(one) for one in results.folders] if len(results.folders) > 1 else []
    scores = results.together.to_dict() | ({SETS_KEY: sets} if sets else {})
    _write(folder, results.together, scores)
    written = _set_reports(folder, len(sets))
    for place, one in zip(written, results.of_sets, strict=False):
        write_report(place, one)
    for place in earlier[len(written) :]:
        for name in REPORT_FILES:
            (place / name).unlink(missing_ok=True)


def check_room(folder: Path, sets: int) -> None:
    """Make the folders of a report on so many data sets, and see that it can be written there.

    Raises:
        OSError: no file can be written.
        ConfigError: where the report on one of several sets goes, another one stands.
    """
    places = _set_reports(folder, sets if sets > 1 else 0)
    for place in places[len(_sets_of_report(folder)) :]:
        if any((place / name).exists() for name in REPORT_FILES):
            raise ConfigError(
                f"{place}: holds a report that does not go with that in {folder}, expected room "
                f"for the report on one of {sets} data sets"
            )
    for one in (folder, *places):
        check_writable(one)


def _set_reports(folder: Path, sets: int) -> list[Path]:
    """Where the reports on each of several data sets stand."""
    return [folder / str(place) for place in range(1, sets + 1)]


def _sets_of_report(folder: Path) -> list[object]:
    """The data sets that the report in a folder is on, if it is on several; else none."""
    try:
        sets = json.loads((folder / "scores.json").read_bytes())[SETS_KEY]
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        return []
    return sets if isinstance(sets, list) else []


def _write(folder: Path, result: Validation, scores: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = ("name", "label", *result.labels, "face_likeness")
    contents = {
        "report.html": report_page(result),
        "scores.json": json.dumps(scores, indent=1) + "\n",
        "logits.csv": _csv_text(
            head,
            _output_rows(result, range(len(result.names)), result.outputs, result.face_likeness),
        ),
    }
    if result.robustness is not None:
        scored = np.flatnonzero(result.scored)
        rows = (
            (one.scores.change, *row)
            for one in result.robustness
            for row in _output_rows(result, scored, one.outputs, one.face_likeness)
        )
        contents["robustness.csv"] = _csv_text(("change", *head), rows)
    with ExitStack() as all_or_none:
        for name, text in contents.items():
            part = all_or_none.enter_context(replacing(folder / name))
            part.write_bytes(text.encode(errors="backslashreplace"))
    for name in REPORT_FILES:
        if name not in contents:
            (folder / name).unlink(missing_ok=True)  # of an earlier report


SETS_HEAD = ("Data set", "Accuracy", "Macro F1", "NLL", "Calibration error", "Faces")


def set_rows(results: Validations) -> list[tuple[str, ...]]:
    """What was measured of each of several data sets, in words."""
    return [
        (
            str(folder),
            estimate(one.scores.accuracy),
            estimate(one.scores.macro_f1),
            f"{one.scores.negative_log_likelihood:.4f} nats",
            f"{one.scores.calibration_error:.2%}",
            f"{one.scores.accuracy.count:,}",
        )
        for folder, one in zip(results.folders, results.of_sets, strict=True)
    ]


def report_page(result: Validation) -> str:
    """The report as one HTML page, its pictures inside."""
    from mien.evaluation.figures import (
        as_data_uri,
        classes_figure,
        confusion_figure,
        reliability_figure,
        risk_coverage_figure,
    )

    scores = result.scores
    return _PAGE.substitute(
        title=escape(f"{result.model} on {result.split}"),
        votes=escape(result.votes),
        summary=_table_rows(summary_rows(result)),
        class_rows=_table_rows([CLASS_HEAD, *class_rows(scores.classes)]),
        classes=as_data_uri(classes_figure(scores)),
        confusion=as_data_uri(confusion_figure(scores)),
        reliability=as_data_uri(reliability_figure(scores)),
        risk_coverage=as_data_uri(risk_coverage_figure(result.certainty.risk_coverage)),
        certainty_rows=_table_rows(certainty_rows(result.certainty)),
        robustness=_robustness_section(result.change_scores),
    )


#: What the model has learnt may be other faces: those of the data measured on are looked at.
UNSEEN_ACCURACY = (
    "Accuracy without faces that the training split of these data holds pixel by pixel"
)


def summary_rows(result: Validation) -> list[tuple[str, str]]:
    """What was measured over all classes, in words."""
    scores = result.scores
    rows = [
        ("Accuracy", percent(scores.accuracy)),
        (UNSEEN_ACCURACY, percent(result.unseen_accuracy)),
        *macro_f1_rows(scores),
        ("Negative log-likelihood", f"{scores.negative_log_likelihood:.4f} nats"),
        ("Brier score", f"{scores.brier:.4f}"),
        ("Expected calibration error, 15 bins", f"{scores.calibration_error:.2%}"),
        ("Kullback-Leibler divergence to the votes", f"{result.divergence:.4f} nats"),
    ]
    if result.left_out:
        rows.append(("Left out, of classes the model does not know", f"{result.left_out} faces"))
    return rows


def macro_f1_rows(scores: Scores) -> list[tuple[str, str]]:
    """Macro F1, and that without contempt where there is such a class, in words."""
    rows = [("Macro F1", estimate(scores.macro_f1))]
    if any(one.label == "contempt" for one in scores.classes):
        rows.append(("Macro F1 without contempt", estimate(scores.macro_f1_without_contempt)))
    return rows


CLASS_HEAD = ("Class", "Precision", "Recall", "F1", "Faces")


def class_rows(classes: Iterable[ClassScores]) -> list[tuple[str, ...]]:
    """What was measured for each class, in words."""
    return [
        (
            one.label,
            estimate(one.precision),
            estimate(one.recall),
            estimate(one.f1),
            f"{one.count:,}",
        )
        for one in classes
    ]


def certainty_rows(certainty: Certainty) -> list[tuple[str, str]]:
    """What was measured of the answers' certainty, in words."""
    return [
        ("Candidates hold the label", percent(certainty.candidates_hold)),
        *(
            (f"... of {name}", percent(held))
            for name, held in certainty.candidates_hold_of_class.items()
        ),
        ("Candidates of a face, mean", f"{certainty.mean_candidates:.2f}"),
        ("Accuracy without the 15 % most uncertain", percent(certainty.told_accuracy)),
        ("Marked as uncertain", percent(certainty.uncertain)),
        ("Accuracy on the rest", percent(certainty.accuracy_unless_uncertain)),
        (
            "Area under the ROC curve of uncertainty, faces without a majority for an emotion",
            area(certainty.ambiguity_auroc),
        ),
    ]


ROBUSTNESS_HEAD = ("Change", "Accuracy", "Accuracy lost", "Uncertain", "Accuracy on the rest")


def robustness_rows(changes: Sequence[ChangeScores]) -> list[tuple[str, ...]]:
    """What was measured of changed faces, in words."""
    return [
        (
            one.change,
            rate(one.accuracy),
            f"{100 * one.loss:.1f} points",
            rate(one.uncertain),
            rate(one.accuracy_unless_uncertain),
        )
        for one in changes
    ]


def estimate(one: Share | Estimate) -> str:
    """A value with its interval, in short; "none" if there is no value."""
    if one.value is None:
        return "none"
    return f"{one.value:.1%} ({100 * one.low:.1f}-{one.high:.1%})"


def rate(share: Share) -> str:
    """A share alone; "none" if it is of nothing."""
    return "none" if share.value is None else f"{share.value:.1%}"


def percent(share: Share | None, of: str = "faces") -> str:
    """A share with its interval, in words; "not measured" if there is none."""
    if share is None or share.value is None:
        return "not measured"
    return f"{share.value:.2%} ({share.low:.1%} to {share.high:.1%}, {share.count:,} {of})"


def area(auroc: float | None) -> str:
    """An area under an ROC curve; "not measured" if there is none."""
    return "not measured" if auroc is None else f"{auroc:.3f}"


def _table_rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows
    )


def _robustness_section(changes: Sequence[ChangeScores]) -> str:
    if not changes:
        return ""
    rows = _table_rows([ROBUSTNESS_HEAD, *robustness_rows(changes)])
    return f"<h2>Changes of the picture</h2>\n<table>{rows}</table>"


def _output_rows(
    result: Validation,
    faces: Iterable[int],
    outputs: Classification,
    face_likeness: NDArray[np.float64],
) -> Iterator[tuple[object, ...]]:
    """What is said of some faces, in as many digits as give numbers of 32 bits back exactly."""
    for face, logits, likeness in zip(faces, outputs.logits.tolist(), face_likeness, strict=True):
        values = (f"{value:.9g}" for value in (*logits, likeness))
        yield (result.names[face], result.majority[face] or "", *values)


def _csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "".join(map(csv_line, (head, *rows)))
