"""What rare classes cost: accuracy against recall when frequent classes are taken back.

Works on the stored logits of a validation (`mien validate --split valid --report`): a power of the
classes' frequencies in Training is taken off the answers, as `mien train --balance` does.
Usage: python benchmarks/rare_classes.py REPORT/logits.csv DATA_DIR PICTURE.png
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.datasets.ferplus import read_split
from mien.labels import EMOTIONS
from mien.training.config import TrainingConfig
from mien.training.data import training_data

POWERS = (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
SHOWN = ("sadness", "anger", "fear", "disgust", "contempt")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")  # Okabe and Ito


def main() -> None:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("logits", type=Path, help="logits.csv of a report")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("picture", type=Path, help="the PNG file to draw")
    options = parser.parse_args()
    logits, truth = read_logits(options.logits)
    training = training_data([read_split(options.data_dir, "train")], TrainingConfig())
    frequency = training.frequencies().double().numpy()
    table = []
    for power in POWERS:
        answer = (logits - power * np.log(frequency)).argmax(axis=1)
        recall = [float((answer[truth == k] == k).mean()) for k in range(len(EMOTIONS))]
        table.append((power, float((answer == truth).mean()), recall))
    print("| power | accuracy % | " + " | ".join(EMOTIONS) + " |")
    print("| --- " * (2 + len(EMOTIONS)) + "|")
    for power, accuracy, recall in table:
        cells = " | ".join(f"{100 * value:.0f}" for value in recall)
        print(f"| {power:+.1f} | {100 * accuracy:.1f} | {cells} |")
    draw(table).savefig(options.picture, dpi=110)


def read_logits(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits (N, 8) and labels (N,) of the faces with a majority."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in EMOTIONS]
    logits = np.array([[float(row[name]) for name in EMOTIONS] for row in rows])
    return logits, np.array([EMOTIONS.index(row["label"]) for row in rows])


def draw(table: list[tuple[float, float, list[float]]]) -> Figure:
    """Accuracy, and under it the recall of the rarer classes, by the power taken off."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    accuracy, recall = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    powers = [row[0] for row in table]
    accuracy.plot(powers, [100 * row[1] for row in table], "o-", color="black")
    accuracy.set_ylabel("accuracy %")
    for name, colour in zip(SHOWN, COLOURS, strict=True):
        values = [100 * row[2][EMOTIONS.index(name)] for row in table]
        recall.plot(powers, values, "o-", color=colour, label=name)
    recall.set_ylabel("recall %")
    recall.set_xlabel("power of the classes' frequencies taken off, beyond the model's own")
    figure.legend(loc="outside right center", frameon=False)
    for axes in (accuracy, recall):
        _plain(axes)
    return figure


def _plain(axes: Axes) -> None:
    axes.axvline(0, color="#BBBBBB", linestyle="--", linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)


if __name__ == "__main__":
    main()
