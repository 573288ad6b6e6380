"""The report of a validation: a page with pictures, the scores as JSON, and every logit."""

import csv
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

from mien.evaluation.metrics import Share
from mien.evaluation.validation import Validation
from mien.files import replacing

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
<p>Faces count if more than half of the crowd's votes, single votes set aside, agree on an
emotion. Votes: $votes.</p>
<table>$summary</table>
<h2>Classes</h2>
<p><img src="$classes" alt="Precision, recall and F1 of each class"></p>
<table>$class_rows</table>
<h2>Mistakes and certainty</h2>
<div class="pair">
<img src="$confusion" alt="Confusion matrix">
<img src="$reliability" alt="Reliability diagram">
</div>
</body>
</html>
""")


def write_report(folder: Path, result: Validation) -> None:
    """Write `report.html`, `scores.json` and `logits.csv` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_text(folder / "report.html", report_page(result))
    _write_text(folder / "scores.json", json.dumps(result.to_dict(), indent=1) + "\n")
    with replacing(folder / "logits.csv") as part, part.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "label", *result.labels])
        for name, truth, logits in zip(
            result.names, result.truth, result.outputs.logits.tolist(), strict=True
        ):
            writer.writerow([name, result.labels[truth], *(f"{logit:.6g}" for logit in logits)])


def report_page(result: Validation) -> str:
    """The report as one HTML page, its pictures inside."""
    from mien.evaluation.figures import (
        as_data_uri,
        classes_figure,
        confusion_figure,
        reliability_figure,
    )

    scores = result.scores
    return _PAGE.substitute(
        title=escape(f"{result.model} on {result.split}"),
        votes=escape(result.votes),
        summary=_table_rows(summary_rows(result)),
        class_rows=_table_rows([CLASS_HEAD, *class_rows(result)]),
        classes=as_data_uri(classes_figure(scores)),
        confusion=as_data_uri(confusion_figure(scores)),
        reliability=as_data_uri(reliability_figure(scores)),
    )


def summary_rows(result: Validation) -> list[tuple[str, str]]:
    """What was measured over all classes, in words."""
    scores = result.scores
    rows = [
        ("Accuracy", percent(scores.accuracy)),
        ("Accuracy without faces that stand in Training too", percent(result.unseen_accuracy)),
        ("Macro F1", f"{scores.macro_f1:.1%}"),
        ("Negative log-likelihood", f"{scores.negative_log_likelihood:.4f} nats"),
        ("Brier score", f"{scores.brier:.4f}"),
        ("Expected calibration error, 15 bins", f"{scores.calibration_error:.2%}"),
        ("Kullback-Leibler divergence to the votes", f"{result.divergence:.4f} nats"),
    ]
    if result.left_out:
        rows.append(("Left out, of classes the model does not know", f"{result.left_out} faces"))
    return rows


CLASS_HEAD = ("Class", "Precision", "Recall", "F1")


def class_rows(result: Validation) -> list[tuple[str, ...]]:
    """What was measured for each class, in words."""
    return [
        (one.label, f"{one.precision:.1%}", percent(one.recall), f"{one.f1:.1%}")
        for one in result.scores.classes
    ]


def percent(share: Share | None) -> str:
    """A share with its interval, in words; "not measured" if there is none."""
    if share is None or share.value is None:
        return "not measured"
    return f"{share.value:.2%} ({share.low:.1%} to {share.high:.1%}, {share.count:,} faces)"


def _table_rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows
    )


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
