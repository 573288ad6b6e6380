"""One video from end to end: frames in; a table, an annotated video and a plot out."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from mien.drawing import draw_faces
from mien.errors import ConfigError, SourceError
from mien.files import check_writable
from mien.recognition import SMOOTHING_S, EmotionRecognition
from mien.sources import is_address_or_camera, open_source
from mien.tables import check_table_path, open_table
from mien.timeline import Person, Timeline
from mien.video import VideoWriter, check_video_path


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are analysed, and how; as `EmotionRecognition.stream` has it."""

    every: int = 1
    detect_every: int = 1
    smoothing_s: float = SMOOTHING_S
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class ClipJob:
    """A video and what is to be made of it.

    Attributes:
        source: a video file, the address of a stream, or the number of a camera.
        table: a file in one of the formats of `mien.tables`, or None.
        out: the annotated video, or None.
        plot: the emotions over time as a PNG, or None.
        bars: whether a bar for each emotion is drawn into the annotated video.
        sampling: which frames are analysed.

    Raises:
        ConfigError: a file's name has the wrong ending, or a package for it is missing.
    """

    source: str
    table: Path | None = None
    out: Path | None = None
    plot: Path | None = None
    bars: bool = False
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        if self.table is not None:
            check_table_path(self.table)
        if self.out is not None:
            check_video_path(self.out)
        elif self.bars:
            raise ConfigError("bars are drawn into the annotated video, and there is none (--out)")
        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise ConfigError(f"{self.plot}: a plot's name ends in .png")

    @property
    def outputs(self) -> list[Path]:
        """The files that are written."""
        return [path for path in (self.table, self.out, self.plot) if path is not None]

    @property
    def sound(self) -> Path | None:
        """The file with the sound: what is live can't be read twice."""
        return None if is_address_or_camera(self.source) else Path(self.source)

    def expected_frames(self) -> int | None:
        """About how many frames are analysed, where the source says how long it is.

        Raises:
            SourceError: the source can't be opened.
        """
        if is_address_or_camera(self.source):
            return None
        with open_source(
            self.source,
            every=self.sampling.every,
            start_s=self.sampling.start_s,
            end_s=self.sampling.end_s,
        ) as source:
            return source.expected_frames


@dataclass(frozen=True)
class ClipSummary:
    """What was found.

    Attributes:
        frames: how many were analysed.
        frames_without_face: how many of them show none.
        end_s: where the last of them ends.
        people: everybody who was seen, longest first.
        is_stopped: whether it was stopped before the source's end.
    """

    frames: int
    frames_without_face: int
    end_s: float
    people: list[Person]
    is_stopped: bool


def analyse_clip(
    recognition: EmotionRecognition,
    job: ClipJob,
    on_frame: Callable[[int], None],
    stopped: Callable[[], bool],
) -> ClipSummary:
    """Analyse a video until its end, or until `stopped`; files are whole either way.

    Args:
        recognition: what looks at the frames.
        job: the video, and the files to write.
        on_frame: called after every frame with the number of frames done.
        stopped: asked before every frame.

    Raises:
        SourceError: the source can't be opened, shows no frame, or is damaged; what was found
            before is written.
        OSError: a file can't be written; so far as it was, it can be read.
    """
    sampling, labels = job.sampling, recognition.labels
    timeline = Timeline(labels)
    is_stopped = False
    with ExitStack() as files:
        frames = recognition.stream(job.source, **vars(sampling))
        files.enter_context(closing(frames))
        first = next(frames, None)  # nothing is written of a video that has none
        if first is None:
            end = "on" if sampling.end_s is None else f"to {sampling.end_s:g} s"
            raise SourceError(f"{job.source}: no frame is shown from {sampling.start_s:g} s {end}")
        if job.plot is not None:
            check_writable(job.plot.parent)
        table = writer = None
        if job.table is not None:
            is_smoothed = sampling.smoothing_s > 0
            table = files.enter_context(open_table(job.table, labels, is_smoothed))
        if job.out is not None:
            writer = VideoWriter(job.out, job.sound, sampling.start_s, sampling.end_s)
            files.enter_context(writer)
        if job.plot is not None:
            files.callback(timeline.draw, job.plot)
        for frame in chain([first], frames):
            timeline.add(frame)
            if table is not None:
                table.write(frame)
            if writer is not None:
                drawn = draw_faces(frame.image_rgb, frame.faces, job.bars)
                writer.write(drawn, frame.time_s)
            on_frame(timeline.frames)
            if stopped():
                is_stopped = True
                break
        if writer is not None:
            writer.close(sound_to_its_end=not is_stopped)
    return ClipSummary(
        frames=timeline.frames,
        frames_without_face=timeline.frames_without_face,
        end_s=timeline.end_s,
        people=timeline.people(),
        is_stopped=is_stopped,
    )
