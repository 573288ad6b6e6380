"""The picture of a run."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.comparison.figures import Figures
from benchmarks.comparison.frames import FRAMES

#: The colours of Okabe and Ito, which colour-blind people tell apart.
BLUE, ORANGE, GREEN, YELLOW, GREY = "#0072B2", "#D55E00", "#009E73", "#F0E442", "#BBBBBB"
STAGE_COLORS = {"detection": BLUE, "classification": ORANGE, "alignment": GREEN, "rest": YELLOW}
LABEL_WIDTH = 22  # letters
LINES = ((BLUE, "o-"), (ORANGE, "s--"), (GREEN, "^:"), (GREY, "d-."))


def picture(figures: Figures) -> Figure:
    """All figures of a run."""
    drawn = Figure(figsize=(13, 7.5), layout="constrained")
    (times, stages, throughput), (accuracy, memory, size) = drawn.subplots(2, 3)
    draw_times(times, figures)
    draw_stages(stages, figures)
    draw_throughputs(throughput, figures)
    draw_accuracies(accuracy, figures)
    names = [one.name for one in figures.footprints]
    peaks = [one.peak_mib or 0.0 for one in figures.footprints]
    sizes = [one.install_mib or 0.0 for one in figures.footprints]
    draw_bars(memory, "Peak memory, MiB", names, peaks, "{:,.0f}")
    draw_bars(size, "Size of the environment, MiB", names, sizes, "{:,.0f}")
    return drawn


def draw_times(axes: Axes, figures: Figures) -> None:
    """Two bars per contestant."""
    names = list(dict.fromkeys(one.name for one in figures.frame_times))
    places = np.arange(len(names))
    for side, (frame, color) in enumerate(zip(FRAMES, (BLUE, ORANGE), strict=True)):
        values = [one.milliseconds for one in figures.frame_times if one.frame == frame]
        bars = axes.barh(places + 0.4 * side - 0.2, values, 0.38, color=color, label=frame)
        axes.bar_label(bars, [f" {value:.0f}" for value in values], fontsize=8)
    axes.set_title("A frame of 640x480, ms")
    _put_legend_below(axes)
    _finish_bars(axes, names)


def draw_stages(axes: Axes, figures: Figures) -> None:
    """One bar for every frame and number of threads, made of the stages."""
    names = [f"{one.frame}, {one.threads} thread(s)" for one in figures.stages]
    left = np.zeros(len(names))
    for stage, color in STAGE_COLORS.items():
        values = [getattr(one, stage) for one in figures.stages]
        axes.barh(range(len(names)), values, 0.6, left=left, color=color, label=stage)
        left += values
    axes.set_title("mien by stages, ms")
    _put_legend_below(axes)
    _finish_bars(axes, names)


def draw_throughputs(axes: Axes, figures: Figures) -> None:
    """One line per number of threads."""
    counts = dict.fromkeys(one.threads for one in figures.throughputs)
    for threads, (color, line) in zip(counts, LINES, strict=False):
        points = [one for one in figures.throughputs if one.threads == threads]
        axes.plot(
            [one.batch for one in points],
            [one.faces_a_second for one in points],
            line,
            color=color,
            label=f"{threads} thread(s)",
        )
    batches = sorted({one.batch for one in figures.throughputs})
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("faces in a batch")
    axes.set_title("mien's network, faces a second")
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def draw_accuracies(axes: Axes, figures: Figures) -> None:
    """A bar per package, on Valid."""
    shown = [one for one in figures.accuracies if one.split == "valid"]
    values = [100 * (one.share.value or 0.0) for one in shown]
    title = "Right on FER+ Valid, %" if shown else "Accuracy: not measured"
    draw_bars(axes, title, [one.package for one in shown], values, "{:.1f}")


def draw_bars(
    axes: Axes, title: str, names: Sequence[str], values: Sequence[float], form: str
) -> None:
    """A bar per name, with its value in words; a value of 0 was not measured."""
    colors = [BLUE if name.startswith("mien") else GREY for name in names]
    bars = axes.barh(range(len(names)), values, 0.6, color=colors)
    axes.bar_label(bars, [f" {form.format(value)}" if value else " ?" for value in values])
    axes.set_title(title)
    _finish_bars(axes, names)


def _put_legend_below(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.07))


def _finish_bars(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [fill(name, LABEL_WIDTH) for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
