"""Talking to a package that runs in a process of its own."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from benchmarks.comparison.contestants import Contestant
from benchmarks.comparison.environments import ROOT, PeerError, last_line, python_of

log = logging.getLogger(__name__)


class Process:
    """A package that answers requests; see `benchmarks.peers.worker`.

    Args:
        contestant: what runs.
        python: the interpreter that has it.
        log: where its errors go.

    Raises:
        PeerError: it does not start.
    """

    def __init__(self, contestant: Contestant, python: Path, log: Path) -> None:
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [python, "-m", contestant.module, contestant.argument],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.version = str(self._answer()["version"])

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            PeerError: the process has ended.
        """
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def ask_time(self, frame: Path, calls: int) -> dict[str, Any]:
        """Let it recognise a frame several times; see `benchmarks.peers.worker.answer`."""
        return self.ask(do="time", frame=str(frame), calls=calls)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise PeerError(last_line(self._log.read_text()))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def start(
    contestants: Iterable[Contestant],
    environments: dict[str, Path],
    failures: dict[str, str],
    frame: Path,
    stack: ExitStack,
) -> dict[Contestant, Process]:
    """Start those whose package is installed, and try each on a frame.

    Who does not start or does not answer joins the failures; logs lie beside the frame.
    Without an environment a package runs where this does.
    """
    running = {}
    for contestant in contestants:
        if contestant.package in failures:
            continue
        log.info("%s starts", contestant.name)
        environment = environments.get(contestant.package)
        python = Path(sys.executable) if environment is None else python_of(environment)
        try:
            process = Process(contestant, python, frame.with_name(f"{contestant.name}.log"))
            stack.enter_context(process)
            process.ask_time(frame, calls=3)
        except PeerError as error:
            failures[contestant.name] = str(error)
        else:
            running[contestant] = process
    return running
