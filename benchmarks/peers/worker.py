"""One package in a process of its own, which answers requests: a line of JSON each, both ways.

It runs inside the package's environment: it needs the standard library and numpy.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class Package(Protocol):
    """What a package is asked to do, in its own way."""

    def run(self, frame: Image) -> int:
        """Recognise every face of a frame BGR (H, W, 3), and say how many there were."""
        ...

    def classify(self, faces: Image) -> Sequence[str]:
        """The package's own names of the emotions on cut-out grey faces (N, H, W)."""
        ...


def serve(distribution: str, open_package: Callable[[], Package]) -> None:
    """Open a package and answer requests until the input ends."""
    # What a package prints would stand between the answers: it goes to the errors.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    package = open_package()
    print(json.dumps({"version": version(distribution)}), file=answers)
    for line in sys.stdin:
        print(json.dumps(answer(package, json.loads(line))), file=answers)


def answer(package: Package, request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks."""
    if request["do"] == "classify":
        return {"emotions": list(package.classify(np.load(request["faces"])))}
    milliseconds, faces = [], 0
    frame = np.load(request["frame"])
    for _ in range(request["calls"]):
        own = frame.copy()  # some draw on what they are given
        began = time.perf_counter()
        faces = package.run(own)
        milliseconds.append(1000 * (time.perf_counter() - began))
    return {"milliseconds": milliseconds, "faces": faces, "peak_mib": peak_mib()}


def peak_mib() -> float | None:
    """The most memory this process has held at once; None where only Linux could tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
