"""What every person of a video showed, over time: in numbers and as a picture."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.drawing import emotion_colors
from mien.errors import ConfigError
from mien.files import replacing
from mien.results import check_emotions
from mien.sources.source import ONLY_FRAME_S
from mien.streaming import StreamFrame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: So many people are drawn, those who are seen longest.
MOST_PEOPLE = 8
#: More moments of a person than these can't be told apart in the picture.
MOST_POINTS = 2000


@dataclass(frozen=True)
class Person:
    """A face that was followed.

    Attributes:
        track_id: its number.
        first_s: when it was seen first.
        last_s: when it was seen last.
        seen_s: for how long in all.
        shares: the share of that time in which each emotion led, largest first; where it is
            0, of the frames.
        uncertain: the share of it in which the answer was uncertain.
    """

    track_id: int
    first_s: float
    last_s: float
    seen_s: float
    shares: dict[str, float]
    uncertain: float


@dataclass
class _Moments:
    """The moments of one face: compact, since a video may be long."""

    times_s: "array[float]" = field(default_factory=lambda: array("d"))
    steps_s: "array[float]" = field(default_factory=lambda: array("f"))
    probabilities: "array[float]" = field(default_factory=lambda: array("f"))
    leaders: bytearray = field(default_factory=bytearray)
    uncertain: bytearray = field(default_factory=bytearray)


class Timeline:
    """Gathers the faces of a stream.

    A face counts from its frame to the next one that is analysed.

    Args:
        labels: the emotions that the model tells apart.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = list(labels)
        self._moments: dict[int, _Moments] = {}
        self._here: list[_Moments] = []
        self._first_s = 0.0
        self._last_s: float | None = None
        self._step_s = ONLY_FRAME_S
        self.frames = self.frames_without_face = 0

    @property
    def end_s(self) -> float:
        """When the last frame ends."""
        return 0.0 if self._last_s is None else self._last_s + self._step_s

    def add(self, frame: StreamFrame) -> None:
        """Add the faces of a frame.

        Raises:
            ConfigError: it is no frame of a stream, or a face tells other emotions apart.
        """
        if not isinstance(frame, StreamFrame):
            raise ConfigError(f"a {type(frame).__name__} came, expected a frame of 'stream'")
        check_emotions(frame.faces, self._labels, "timeline")
        if self._last_s is None:
            self._first_s = frame.time_s
        else:
            self._step_s = frame.time_s - self._last_s
        for moments in self._here:
            moments.steps_s[-1] = self._step_s
        self._last_s, self._here = frame.time_s, []
        self.frames += 1
        self.frames_without_face += not frame.faces
        for face in frame.faces:
            moments = self._moments.setdefault(face["track_id"], _Moments())
            moments.times_s.append(frame.time_s)
            moments.steps_s.append(self._step_s)
            moments.probabilities.extend(face["emotions"][label] for label in self._labels)
            moments.leaders.append(self._labels.index(face["emotion"]))
            moments.uncertain.append(face["uncertain"])
            self._here.append(moments)

    def people(self) -> list[Person]:
        """Everybody who was seen, longest first."""
        people = [self._person(*item) for item in self._moments.items()]
        return sorted(people, key=lambda person: -person.seen_s)

    def _person(self, track_id: int, moments: _Moments) -> Person:
        steps_s = np.array(moments.steps_s, dtype=np.float64)
        weights = steps_s if steps_s.any() else np.ones_like(steps_s)
        total = float(weights.sum())
        led = np.bincount(np.array(moments.leaders), weights, len(self._labels))
        order = [place for place in np.argsort(-led, kind="stable") if led[place] > 0]
        return Person(
            track_id=track_id,
            first_s=moments.times_s[0],
            last_s=moments.times_s[-1],
            seen_s=float(steps_s.sum()),
            shares={self._labels[place]: float(led[place]) / total for place in order},
            uncertain=float(weights[np.array(moments.uncertain, dtype=bool)].sum()) / total,
        )

    def draw(self, path: str | Path) -> None:
        """Draw the probabilities over time, a row per person, as a PNG.

        Raises:
            OSError: the file can't be written.
        """
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch

        people = sorted(self.people()[:MOST_PEOPLE], key=lambda person: person.track_id)
        rows = max(1, len(people))
        figure = Figure(figsize=(11, 1.2 + 1.7 * rows), layout="constrained")
        every_axes = figure.subplots(rows, sharex=True, squeeze=False)[:, 0]
        for axes, person in zip(every_axes, people, strict=False):
            self._draw_person(axes, person)
        for axes in every_axes:
            axes.set_xlim(self._first_s, max(self.end_s, self._first_s + ONLY_FRAME_S))
            axes.set_ylim(0, 1)
            axes.set_yticks([0, 0.5, 1])
            axes.spines[["top", "right"]].set_visible(False)
        if not people:
            every_axes[0].set_title("No face was seen", loc="left", fontsize=10)
        every_axes[-1].set_xlabel("time (s)")
        colors = emotion_colors(self._labels)
        handles = [Patch(color=colors[label], label=label) for label in reversed(self._labels)]
        handles.append(Patch(facecolor="none", edgecolor="black", hatch="////", label="uncertain"))
        figure.legend(handles=handles, loc="outside right upper", frameon=False)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            figure.savefig(part, format="png", dpi=110)

    def _draw_person(self, axes: "Axes", person: Person) -> None:
        moments = self._moments[person.track_id]
        times_s, probability = self._with_gaps(moments)
        colors = list(emotion_colors(self._labels).values())
        axes.stackplot(times_s, probability.T, colors=colors, linewidth=0)
        axes.broken_barh(
            _uncertain_spans(moments),
            (0, 1),
            facecolor="none",
            edgecolor="black",
            hatch="////",
            linewidth=0,
        )
        axes.set_title(f"face {person.track_id}", loc="left", fontsize=10)
        axes.set_ylabel("probability")

    def _with_gaps(self, moments: _Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times (N,) and probabilities (N, K); rows of NaN where it is away."""
        stride = max(1, len(moments.times_s) // MOST_POINTS)
        times_s = np.array(moments.times_s)
        probability = np.array(moments.probabilities, dtype=np.float64)
        probability = probability.reshape(len(times_s), len(self._labels))
        ends_s = times_s + np.array(moments.steps_s)
        is_last = np.append(times_s[1:] > ends_s[:-1] + ONLY_FRAME_S / 4, True)
        kept = is_last | (np.arange(len(times_s)) % stride == 0)
        after = np.flatnonzero(is_last[kept]) + 1
        nothing = np.full((len(after), len(self._labels)), np.nan)
        # Every stretch lasts to the end of its last frame, and nothing follows it.
        times_s = np.insert(times_s[kept], np.repeat(after, 2), np.repeat(ends_s[is_last], 2))
        held = np.stack([probability[is_last], nothing], axis=1).reshape(-1, len(self._labels))
        return (
            times_s,
            np.insert(probability[kept], np.repeat(after, 2), held, axis=0),
        )


def _uncertain_spans(moments: _Moments) -> list[tuple[float, float]]:
    """When an answer was uncertain: from where on, and for how long, in seconds."""
    chosen = np.array(moments.uncertain, dtype=bool)
    begins_s = np.array(moments.times_s)[chosen]
    ends_s = begins_s + np.array(moments.steps_s)[chosen]
    is_new = np.append(True, begins_s[1:] > ends_s[:-1] + ONLY_FRAME_S / 4)[: len(begins_s)]
    first_s, last_s = begins_s[is_new], ends_s[np.append(is_new[1:], True)[: len(ends_s)]]
    return list(zip(first_s.tolist(), (last_s - first_s).tolist(), strict=True))
