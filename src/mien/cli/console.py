"""Results on standard output; errors, notes and progress on standard error."""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

SECONDS_BETWEEN_LINES = 10.0
WIDEST = 10_000
#: Characters that move the cursor, begin a line or command a terminal.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """Print a result, as it is, to standard output."""
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a remark to standard error."""
    errors.print(_harmless(text), markup=False)


def error(text: str) -> None:
    """Print an error to standard error."""
    errors.print(f"mien: {_harmless(text)}", style="red", markup=False)


class Bar:
    """A progress bar on a terminal; elsewhere a line at the start and every ten seconds."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name
        self._task = progress.add_task(name, total=None, detail="")
        self._began = time.monotonic()
        self._first_done = 0
        self._last_line: float | None = None

    def update(self, done: int, total: int | None, detail: str = "") -> None:
        """Show how many of how many steps are done (None: nobody knows), and a few words beside."""
        self._progress.update(self._task, completed=done, total=total, detail=detail)
        if errors.is_terminal:
            return
        now = time.monotonic()
        if self._last_line is None:
            self._began, self._first_done = now, done
        elif now - self._last_line < SECONDS_BETWEEN_LINES and done != total:
            return
        self._last_line = now
        steps, left = done - self._first_done, ""
        if steps and total is not None:
            left = f", {(now - self._began) / steps * (total - done):.0f} s left"
        of_total = "" if total is None else f" of {total}"
        note(f"{self._name}: {done}{of_total}{', ' if detail else ''}{detail}{left}")


@contextmanager
def progress_bar(name: str) -> Iterator[Bar]:
    """Show progress while inside."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not errors.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # else results would leave a file for the terminal
    )
    with progress:
        yield Bar(progress, name)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to standard output; an empty head is left out."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(head))
    for name in head:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(printable(cell)) for cell in row))
    width = None if sys.stdout.isatty() else WIDEST  # files and other programs take whole lines
    Console(highlight=False, emoji=False, width=width).print(shown)


def printable(text: str) -> str:
    """Text with what standard output can't hold written out, as bytes of file names may be."""
    encoding = sys.stdout.encoding or "utf-8"
    return _harmless(text).encode(encoding, "backslashreplace").decode(encoding)


def _harmless(text: str) -> str:
    """A line of text in which control characters, which names may hold, do nothing."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
