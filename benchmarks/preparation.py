"""Where the time of `mien prepare folder` goes, by stages, and how fast several processes are.

Small JPEG pictures of a face are made, no two the same, and prepared: found and cut, and then
only scaled, as with `--cropped`. What is neither decoding nor detection is the preparation's own.
Stages are counted in processor time, which other programs on the machine do not stretch.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np

from mien.alignment import cut, whole
from mien.datasets import cutting
from mien.datasets.cutting import Cut
from mien.datasets.faces import write_face
from mien.datasets.folder import prepare
from mien.detection import RetinaFace
from mien.images import read_image

#: Sides of the made pictures, in pixels.
SIDES = {"found and cut": 250, "cropped": 112}
HOW = {"found and cut": Cut(112), "cropped": Cut(112, cropped=True)}
CLASSES = ("happy", "sad", "angry", "neutral")


def main() -> None:
    """Print the stages of both ways, and the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", dest="ways", choices=HOW, action="append")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    for way in options.ways or HOW:
        with TemporaryDirectory() as folder:
            images = Path(folder) / "images"
            write_pictures(images, options.pictures, SIDES[way])
            print(f"{way}, {options.pictures:,} pictures of {SIDES[way]} pixels:")
            print_stages(stages(images, Path(folder) / "one", HOW[way]), options.pictures)
            began = time.perf_counter()
            prepare(images, Path(folder) / "more", how=HOW[way], processes=options.processes)
            rate = options.pictures / (time.perf_counter() - began)
            print(f"  {options.processes} processes: {rate:,.0f} pictures/s by the clock")


def write_pictures(images: Path, count: int, side: int) -> None:
    """JPEG pictures (side, side) with the face of the picture that ships, and other noise each."""
    with as_file(files("mien") / "assets" / "astronaut.jpg") as path:
        picture = read_image(path)[..., ::-1]
    face = cv2.resize(picture[20:260, 100:340], (side, side), interpolation=cv2.INTER_AREA)
    generator = np.random.default_rng(0)
    for number in range(count):
        path = images / CLASSES[number % len(CLASSES)] / f"person{number // 10}-{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = generator.normal(0, 6, face.shape)
        cv2.imwrite(str(path), (face + noise).clip(0, 255).astype(np.uint8))


def stages(images: Path, out: Path, how: Cut) -> dict[str, float]:
    """Seconds of processor time that each stage takes in one process, and the whole."""
    spent: dict[str, float] = defaultdict(float)

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.process_time()
            result = function(*arguments)
            spent[stage] += time.process_time() - began
            return result

        return run

    stage = partial(patch.object, cutting)
    detect = RetinaFace.detect
    with (
        stage("read_image", timed("decoding", read_image)),
        patch.object(RetinaFace, "detect", lambda *given: timed("detection", detect)(*given)),
        stage("cut", timed("cutting", cut)),
        stage("whole", timed("cutting", whole)),
        stage("write_face", timed("compressing and writing", write_face)),
    ):
        began = time.process_time()
        prepare(images, out, group=r"(person\d+)", how=how)
        total = time.process_time() - began
    return {**spent, "everything else": total - sum(spent.values()), "all": total}


def print_stages(times: dict[str, float], pictures: int) -> None:
    """One stage per line: milliseconds per picture, and the share of the whole."""
    for name, spent in times.items():
        print(f"  {name:24} {1000 * spent / pictures:7.3f} ms {spent / times['all']:6.1%}")
    limiting = times["decoding"] + times.get("detection", 0)
    print(f"  neither decoding nor detection: {1 - limiting / times['all']:.1%}")
    print(f"  1 process: {pictures / times['all']:,.0f} pictures/s of processor time")


if __name__ == "__main__":
    main()
