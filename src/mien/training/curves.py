"""The table and the picture of a training run."""

from collections.abc import Sequence
from pathlib import Path

from mien.datasets.csv_file import write_csv
from mien.files import replacing
from mien.training.run import EpochScores


def write_table(path: Path, history: Sequence[EpochScores]) -> None:
    """Write a CSV file with one row per epoch."""
    write_csv(path, ([*EpochScores.__annotations__], *([*row.values()] for row in history)))


def draw_curves(path: Path, history: Sequence[EpochScores]) -> None:
    """Draw loss, accuracy and learning rate over the epochs as a PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    loss, accuracy, rate = figure.subplots(1, 3)
    loss.plot(epochs, [row["train_loss"] for row in history], ".-", label="training, augmented")
    loss.plot(epochs, [row["valid_loss"] for row in history], ".-", label="validation, majority")
    loss.set_title("Loss (nats)")
    loss.legend(frameon=False)
    accuracy.plot(epochs, [100 * row["valid_accuracy"] for row in history], ".-", color="C1")
    accuracy.set_title("Validation accuracy (%)")
    rate.plot(epochs, [row["learning_rate"] for row in history], ".-", color="C2")
    rate.set_title("Learning rate")
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=120)
