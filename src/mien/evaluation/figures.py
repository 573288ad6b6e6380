"""The pictures of a report."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.evaluation.certainty import RiskCoveragePoint
from mien.evaluation.metrics import CALIBRATION_BINS, Estimate, Scores, Share

#: So wide are three bars with their whiskers.
INCHES_A_CLASS = 0.7

BLUE, GREY, RED = "#0072B2", "#BBBBBB", "#D55E00"


def confusion_figure(scores: Scores) -> Figure:
    """The confusion matrix, as shares of each row, with the counts."""
    names = [one.label for one in scores.classes]
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6.6, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    for row in range(len(names)):
        for column in range(len(names)):
            if counts[row, column]:
                axes.text(
                    column,
                    row,
                    f"{shares[row, column]:.0%}\n{counts[row, column]}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color="white" if shares[row, column] > 0.55 else "black",
                )
    axes.spines[:].set_visible(False)
    return figure


def reliability_figure(scores: Scores) -> Figure:
    """Accuracy against confidence, and how often each confidence comes."""
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    accuracy, share = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [one for one in scores.bins if one.count]
    confidence = [one.confidence for one in filled]
    accuracy.plot([0, 1], [0, 1], "--", color=GREY, label="confidence as good as its word")
    accuracy.plot(confidence, [one.accuracy for one in filled], "o-", color=BLUE, label="model")
    accuracy.set_ylabel("share of right answers")
    accuracy.set_title(f"Expected calibration error {scores.calibration_error:.2%}")
    accuracy.legend(frameon=False)
    edges = np.arange(CALIBRATION_BINS) / CALIBRATION_BINS
    share.bar(
        edges, [one.count for one in scores.bins], 1 / CALIBRATION_BINS, align="edge", color=BLUE
    )
    share.set_xlabel("confidence")
    share.set_ylabel("faces")
    _plain(accuracy)
    _plain(share)
    return figure


def classes_figure(scores: Scores) -> Figure:
    """Precision, recall and F1 of every class, with their intervals."""
    width = max(9, INCHES_A_CLASS * len(scores.classes))
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(scores.classes), dtype=np.float64)
    _bars(axes, places - 0.27, [one.precision for one in scores.classes], GREY, "precision")
    _bars(axes, places, [one.recall for one in scores.classes], BLUE, "recall")
    _bars(axes, places + 0.27, [one.f1 for one in scores.classes], RED, "F1")
    names = [f"{one.label}, {one.count} faces" for one in scores.classes]
    axes.set_xticks(places, names, rotation=40, ha="right")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.13))
    _plain(axes)
    return figure


def risk_coverage_figure(points: Sequence[RiskCoveragePoint]) -> Figure:
    """Accuracy on the least uncertain faces, by how large a share of all they are."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    shown = [one for one in points if one.accuracy.value is not None]
    coverage = [one.coverage for one in shown]
    axes.fill_between(
        coverage,
        [one.accuracy.low for one in shown],
        [one.accuracy.high for one in shown],
        color=BLUE,
        alpha=0.2,
        linewidth=0,
        label="95 % interval",
    )
    axes.plot(coverage, [one.accuracy.value or 0.0 for one in shown], "o-", color=BLUE)
    axes.set_xlabel("share of faces that is kept, least uncertain first")
    axes.set_ylabel("share of right answers")
    axes.set_xlim(1.02, 0)
    axes.legend(frameon=False, loc="lower right")
    _plain(axes)
    return figure


def _bars(
    axes: Axes,
    places: NDArray[np.floating],
    values: Sequence[Share | Estimate],
    color: str,
    label: str,
) -> None:
    """Bars with whiskers; none where there is no value."""
    heights = np.array([np.nan if one.value is None else one.value for one in values])
    low = heights - np.minimum([one.low for one in values], heights)
    high = np.maximum([one.high for one in values], heights) - heights
    axes.bar(places, heights, 0.25, color=color, label=label, yerr=[low, high], capsize=2)


def as_data_uri(figure: Figure) -> str:
    """A figure as a PNG inside a page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _plain(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
