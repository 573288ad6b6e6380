"""What a run measures, as it stands in the JSON file."""

from dataclasses import dataclass

from mien.evaluation.metrics import Share


@dataclass(frozen=True)
class FrameTime:
    """A contestant on one frame: the median time, and the faces it found of those there are."""

    name: str
    frame: str
    milliseconds: float
    found: int
    faces: int


@dataclass(frozen=True)
class Footprint:
    """The most memory a contestant's process held over 100 frames, and its environment's size."""

    name: str
    version: str
    peak_mib: float | None
    install_mib: float | None


@dataclass(frozen=True)
class Accuracy:
    """A package on the strict-majority faces of one split of FER+."""

    package: str
    split: str
    share: Share


@dataclass(frozen=True)
class StageTimes:
    """Medians of mien's stages on one frame, in milliseconds."""

    threads: int
    frame: str
    detection: float
    alignment: float
    classification: float
    rest: float


@dataclass(frozen=True)
class Throughput:
    """Faces that mien's network classifies in a second."""

    threads: int
    batch: int
    faces_a_second: float


@dataclass(frozen=True)
class Figures:
    """One run.

    Attributes:
        load: how many processes wanted a core in the minute before it.
        failures: the reason by the name of who did not run.
    """

    date: str
    processor: str
    cores: int
    python: str
    load: float
    frame_times: tuple[FrameTime, ...]
    footprints: tuple[Footprint, ...]
    accuracies: tuple[Accuracy, ...]
    stages: tuple[StageTimes, ...]
    throughputs: tuple[Throughput, ...]
    failures: dict[str, str]
