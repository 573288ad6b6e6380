"""`mien video`: emotions in videos, over time."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli import console
from mien.cli.image import Detector, Device, MinFaceSize, Model, Threads
from mien.cli.inputs import files_of
from mien.errors import ConfigError, MienError, SourceError
from mien.files import VIDEO_SUFFIXES, check_no_folder, check_not_read, place_of

if TYPE_CHECKING:
    from mien.clip import ClipJob, ClipSummary

#: Stands for the name of each input, in the names of the files that are written.
NAME = "{name}"
#: So many people of a video are listed, those who are seen longest.
MOST_PEOPLE = 10

Every = Annotated[int, typer.Option(min=1, help="Analyse every n-th frame.")]
DetectEvery = Annotated[
    int, typer.Option(min=1, help="Look for faces in every n-th analysed frame.")
]
Smoothing = Annotated[
    float, typer.Option(min=0, help="Time constant of the smoothing, in seconds; 0: none.")
]


def video(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN...", help="Video files, folders, globs, addresses.")
    ],
    table: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write a row per face and frame: .csv, .jsonl, .parquet."
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the annotated video: .mp4.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the emotions over time: .png.")
    ] = None,
    bars: Annotated[
        bool, typer.Option("--bars", help="Draw a bar for each emotion into the annotated video.")
    ] = False,
    every: Every = 1,
    detect_every: DetectEvery = 1,
    smoothing: Smoothing = 0.5,
    start: Annotated[float, typer.Option(min=0, help="Begin here, in seconds.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, help="End here, in seconds.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="How many videos to analyse at the same time.")
    ] = 1,
    model: Model = "default",
    device: Device = "cpu",
    detector: Detector = "retinaface",
    min_face_size: MinFaceSize = None,
    threads: Threads = 0,
) -> None:
    """Recognise the emotions in videos, and follow each face.

    With several videos, {name} in FILE stands for the name of each. Ctrl-C stops: what was
    written until then stays. A video that can't be read is reported and left out; the exit code
    is 1 then.
    """
    from mien.interruption import stopping_on_signals

    with stopping_on_signals() as wish:
        from mien.clip import ClipJob, Sampling
        from mien.clips import analyse_clips

        sampling = Sampling(every, detect_every, smoothing, start, end)
        sources, problems = _find_videos(inputs)
        patterns = {"table": table, "out": out, "plot": plot}
        jobs = [
            ClipJob(source, bars=bars, sampling=sampling, **_files(patterns, name))
            for source, name in _named(sources)
        ]
        _check_outputs(jobs)
        settings = {
            "device": device,
            "model": model,
            "detector": detector,
            "min_face_size": min_face_size,
            "threads": threads,
        }
        with console.progress_bar("Frames") as bar:
            shown = _Progress(bar, jobs)
            outcomes = analyse_clips(jobs, settings, shown.update, lambda: bool(wish), processes)
    rows: list[tuple[str, ...]] = []
    names = Counter(Path(job.source).name for job in jobs)
    for job, outcome, frames in zip(jobs, outcomes, shown.done, strict=True):
        if isinstance(outcome, Exception):
            problems.append(f"{outcome}{_written(job) if frames else ''}")
            continue
        if outcome is not None:
            name = Path(job.source).name
            rows.extend(_rows(name if names[name] == 1 else job.source, outcome))
        if outcome is None or outcome.is_stopped:
            console.note(_stopped(job, outcome))
    if rows:
        console.table(_HEAD, rows)
    for problem in problems:
        console.error(problem)
    if wish.signal_number is not None:
        raise typer.Exit(128 + wish.signal_number)
    if problems:
        raise typer.Exit(1)


def _find_videos(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """The videos that paths, folders, globs and addresses stand for, and what was wrong."""
    found: dict[str, None] = {}
    problems = []
    for text in inputs:
        if "://" in text or (text.isdecimal() and not Path(text).is_dir()):
            found[text] = None
            continue
        try:
            paths = map(str, files_of(text, VIDEO_SUFFIXES, "videos"))
            # Digits alone would be a camera.
            found.update({f"./{path}" if path.isdecimal() else path: None for path in paths})
        except SourceError as error:
            problems.append(str(error))
    return list(found), problems


def _named(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every source with a name of its own, also where capitals don't count."""
    taken: set[str] = set()
    for source in sources:
        stem = Path(source).stem or "stream"
        numbered = (f"{stem}-{number}" for number in count(2))
        name = next(one for one in chain([stem], numbered) if one.casefold() not in taken)
        taken.add(name.casefold())
        yield source, name


def _files(patterns: dict[str, str | None], name: str) -> dict[str, Any]:
    return {
        key: Path(pattern.replace(NAME, name))
        for key, pattern in patterns.items()
        if pattern is not None
    }


def _check_outputs(jobs: Sequence["ClipJob"]) -> None:
    """No file is written twice, and no input is written over."""
    outputs = [path for job in jobs for path in job.outputs]
    counts = Counter(map(place_of, outputs))
    for path in outputs:
        if (times := counts[place_of(path)]) > 1:
            raise ConfigError(f"{path}: is to be written {times} times; put {NAME} into its name")
        check_no_folder(path)
    check_not_read(outputs, [job.source for job in jobs], "videos")


class _Progress:
    """Frames of all videos together, and how many are done a second."""

    def __init__(self, bar: console.Bar, jobs: Sequence["ClipJob"]) -> None:
        self._bar, self._began = bar, time.monotonic()
        self.done = [0] * len(jobs)
        self._expected = [_expected_frames(job) for job in jobs]

    def update(self, place: int, frames: int) -> None:
        """Show that a video has come so far."""
        self.done[place] = frames
        done, total = sum(self.done), None
        if None not in self._expected:
            total = max(done + 1, sum(filter(None, self._expected)))
        rate = done / (time.monotonic() - self._began)
        self._bar.update(done, total, f"{rate:.1f} frames/s")


def _expected_frames(job: "ClipJob") -> int | None:
    try:
        return job.expected_frames()
    except (MienError, OSError):  # said when its turn comes
        return 0


_HEAD = ("video", "face", "seen", "emotions, by time", "uncertain")


def _rows(name: str, summary: "ClipSummary") -> Iterator[tuple[str, ...]]:
    if not summary.people:
        yield (name, "none", f"in {summary.frames} frames", "", "")
    for person in summary.people[:MOST_PEOPLE]:
        shares = [f"{label} {share:.0%}" for label, share in person.shares.items()]
        seen = f"{person.first_s:.1f} to {person.last_s:.1f} s"
        yield (name, str(person.track_id), seen, ", ".join(shares), f"{person.uncertain:.0%}")
    if len(summary.people) > MOST_PEOPLE:
        yield (name, f"{len(summary.people) - MOST_PEOPLE} more", "", "", "")


def _stopped(job: "ClipJob", summary: "ClipSummary | None") -> str:
    if summary is None:
        return f"{job.source}: not begun"
    return f"{job.source}: stopped at {summary.end_s:.2f} s{_written(job)}"


def _written(job: "ClipJob") -> str:
    """The files of a video, as far as they came."""
    written = ", ".join(str(path) for path in job.outputs if path.exists())
    return f"; what was done until then is in {written}" if written else ""
