"""`mien webcam`: emotions live, in a window or a table."""

import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli import console
from mien.cli.image import Detector, Device, MinFaceSize, Model, Threads
from mien.cli.video import DetectEvery, Smoothing
from mien.errors import ConfigError, SourceError, WindowError
from mien.files import check_not_read

if TYPE_CHECKING:
    from mien.interruption import StopWish
    from mien.sources import Source
    from mien.streaming import StreamFrame
    from mien.tables import Table
    from mien.viewer import Viewer


def webcam(
    source: Annotated[
        str,
        typer.Option(
            metavar="SOURCE",
            help="Number of a camera, address of a stream, or a video file to play.",
        ),
    ] = "0",
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a row per face and frame: .csv, .jsonl, .parquet."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where pictures and recordings go, else here."),
    ] = None,
    window: Annotated[
        bool, typer.Option("--window/--no-window", help="Open a window, or write the table alone.")
    ] = True,
    detect_every: DetectEvery = 1,
    smoothing: Smoothing = 0.5,
    model: Model = "default",
    device: Device = "cpu",
    detector: Detector = "retinaface",
    min_face_size: MinFaceSize = None,
    threads: Threads = 0,
) -> None:
    """Recognise emotions live, before a camera.

    Always the newest frame is taken; a file is played like a camera. Keys in the window: q or Esc
    quits, space pauses, s saves the picture, r starts a recording and ends it, b shows bars, h
    shows the keys. Without a display, --table works alone. Ctrl-C finishes what is written.
    """
    _check_outputs(source, window, table, out)
    has_window = window and _has_display(table)
    from mien.interruption import stopping_on_signals
    from mien.recognition import EmotionRecognition
    from mien.tables import open_table
    from mien.viewer import Viewer
    from mien.window import Window

    recognition = EmotionRecognition(
        device, model=model, detector=detector, min_face_size=min_face_size, threads=threads
    )
    with stopping_on_signals() as wish, ExitStack() as outputs:
        frames = recognition.stream(
            _open_live(source, wish), detect_every=detect_every, smoothing_s=smoothing
        )
        viewer = rows = None
        if has_window:
            viewer = Viewer(Window("mien"), out or Path(), console.say)
            outputs.enter_context(viewer)
        if table is not None:
            rows = open_table(table, recognition.labels, smoothing > 0)
            outputs.enter_context(rows)
        _watch(frames, viewer, rows, wish)
    if table is not None:
        console.say(f"{table}: written")
    if wish.signal_number is not None:
        raise typer.Exit(128 + wish.signal_number)


def _check_outputs(source: str, window: bool, table: Path | None, out: Path | None) -> None:
    """Without a window there must be a table, and no folder for what its keys write."""
    if table is not None:
        from mien.tables import check_table_path

        check_table_path(table)
        check_not_read([table], [source], "videos")
    if not window and table is None:
        raise ConfigError("--no-window leaves nothing to do without --table FILE")
    if not window and out is not None:
        raise ConfigError("--out is for the keys of the window, so it does not go with --no-window")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)


def _has_display(table: Path | None) -> bool:
    """Whether there can be a window; without one there must be a table."""
    from mien.window import check_display

    try:
        check_display()
    except WindowError as error:
        if table is None:
            raise WindowError(f"{error}; --table FILE works without one") from error
        console.note(f"No window: {error}")
        return False
    return True


def _open_live(source: str, wish: "StopWish") -> "Source":
    """A source as a camera; nobody is told of one that does not open once it is not wanted."""
    from mien.sources import Paced, open_source

    try:
        opened = open_source(source)
    except SourceError:
        if wish.signal_number is not None:
            raise typer.Exit(128 + wish.signal_number) from None
        raise
    return opened if opened.is_live else Paced(opened)


def _watch(
    frames: "Generator[StreamFrame, None, None]",
    viewer: "Viewer | None",
    rows: "Table | None",
    wish: "StopWish",
) -> None:
    """Show and write frames until the source ends, or nobody wants them any more."""
    from mien.viewer import while_wanted

    def is_wanted() -> bool:
        return not wish and (viewer is None or viewer.goes_on())

    began = time.monotonic()
    with console.progress_bar("Frames") as bar, closing(while_wanted(frames, is_wanted)) as wanted:
        for done, frame in enumerate(wanted, start=1):
            if rows is not None:
                rows.write(frame)
            if viewer is not None:
                viewer.take(frame)
            bar.update(done, None, f"{done / (time.monotonic() - began):.1f} frames/s")
