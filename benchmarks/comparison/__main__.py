"""mien beside two other packages: speed, accuracy, memory and size, in one run.

It writes `docs/benchmarks.md`, and its picture and figures beside it.
"""

import argparse
import dataclasses
import datetime
import json
import logging
import os
import platform
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.comparison.accuracy import accuracies
from benchmarks.comparison.contestants import OURS, PEERS
from benchmarks.comparison.environments import ROOT, make_environments, size_mib
from benchmarks.comparison.figures import Figures, Footprint
from benchmarks.comparison.frames import ONE_FACE
from benchmarks.comparison.page import page
from benchmarks.comparison.picture import picture
from benchmarks.comparison.processes import start
from benchmarks.comparison.stages import stage_times
from benchmarks.comparison.throughput import throughputs
from benchmarks.comparison.timing import time_frames, write_frames
from mien.files import replacing


def main() -> None:
    """Measure, print and write."""
    arguments = parse(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.data_dir, arguments.peers)
    text = page(figures)
    print(text)
    if arguments.peers:
        write(ROOT / "docs", figures, text)


def parse(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.comparison", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="FER+, prepared; no accuracy without it")
    parser.add_argument(
        "--no-peers",
        dest="peers",
        action="store_false",
        help="mien alone, without network: the page is printed and not written",
    )
    return parser.parse_args(words)


def measure(folder: Path, data_dir: Path | None, with_peers: bool) -> Figures:
    """All figures; what the processes share lies in a folder."""
    load = os.getloadavg()[0]
    contestants = (*OURS, *PEERS) if with_peers else OURS
    environments, failures = make_environments(contestants) if with_peers else ({}, {})
    if OURS[0].package in failures:
        raise SystemExit(f"mien can't be installed: {failures[OURS[0].package]}")
    frames = write_frames(folder)
    cores = os.cpu_count() or 1
    threads = [count for count in (1, 2, 4, 8) if count <= cores]
    stages = [one for count in threads for one in stage_times(count)]
    speeds = [one for count in threads for one in throughputs(count)]
    with ExitStack() as stack:
        running = start(contestants, environments, failures, frames[ONE_FACE], stack)
        times, peaks = time_frames(running, frames)
        scores = [] if data_dir is None else accuracies(running, data_dir, folder)
    sizes = {package: size_mib(path) for package, path in environments.items()}
    return Figures(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        processor=processor(),
        cores=cores,
        python=platform.python_version(),
        load=load,
        frame_times=tuple(times),
        footprints=tuple(
            Footprint(one.name, process.version, peaks[one], sizes.get(one.package))
            for one, process in running.items()
        ),
        accuracies=tuple(scores),
        stages=tuple(stages),
        throughputs=tuple(speeds),
        failures=failures,
    )


def processor() -> str:
    """What the processor calls itself."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write(folder: Path, figures: Figures, text: str) -> None:
    """The page, its picture and the figures."""
    with replacing(folder / "benchmarks.json") as part:
        part.write_text(json.dumps(dataclasses.asdict(figures), indent=1) + "\n")
    with replacing(folder / "benchmarks.png") as part:
        picture(figures).savefig(part, format="png", dpi=110)
    with replacing(folder / "benchmarks.md") as part:
        part.write_text(text)


if __name__ == "__main__":
    main()
