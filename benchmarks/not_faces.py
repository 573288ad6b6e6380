"""How a model answers to cuts without a face, beside the faces of a validated split.

The cuts come from pictures without people that ship with scikit-image and, where it is installed,
scikit-learn, and from patterns; the fitting of face likeness sees none of them, nor patterns of
these kinds. They are for the last measurement: nothing may be chosen by them.
Usage: python benchmarks/not_faces.py REPORT [MODEL], REPORT being of `mien validate` on that model;
without MODEL it is the one that the report names.
Writes not_faces.json and not_faces.csv into the report's folder.
"""

import argparse
import csv
import dataclasses
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray

from mien import alignment
from mien.classification import classify
from mien.datasets.csv_file import write_csv
from mien.evaluation.certainty import Answers
from mien.evaluation.metrics import area_under_roc, share
from mien.files import replacing
from mien.images import to_grey
from mien.model_file import open_model

Image = NDArray[np.uint8]
Generator = np.random.Generator

CUTS_OF_EACH = 50
#: Sides of the cuts from pictures begin at so many pixels and end at the picture's shorter side.
SMALLEST_CUT = 48
PATTERN_SIDE = 96
PICTURES = ("coffee", "rocket", "chelsea", "page", "horse", "hubble_deep_field", "brick")
SCENES = ("china.jpg", "flower.jpg")


def main() -> None:
    """Print and write the answers to every kind of cut."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="a folder of `mien validate --report`")
    parser.add_argument("model", nargs="?", help="without it, the one that the report names")
    options = parser.parse_args()
    report = options.report
    named = json.loads((report / "scores.json").read_text())["model"]
    model = open_model(options.model or named)
    cuts = made_cuts()
    side = model.metadata.input_size
    batch = np.stack([alignment.whole(cut, side) for of_kind in cuts.values() for cut in of_kind])
    outputs = classify(model.session, batch)
    answers = Answers.of(outputs, model.metadata.calibration)
    faces = faces_likeness(report / "logits.csv")
    kinds = np.repeat(list(cuts), [len(of_kind) for of_kind in cuts.values()])
    result = {
        "model": model.source,
        "faces": len(faces),
        **figures(answers, faces),
        "kinds": [{"kind": kind, **figures(answers.select(kinds == kind), faces)} for kind in cuts],
    }
    text = json.dumps(result, indent=1) + "\n"
    head = ("kind", *model.metadata.labels, "face_likeness")
    rows = (
        (kind, *(f"{logit:.9g}" for logit in logits), f"{likeness:.9g}")
        for kind, logits, likeness in zip(
            kinds, outputs.logits.tolist(), answers.face_likeness, strict=True
        )
    )
    with replacing(report / "not_faces.json") as part:
        part.write_text(text)
        write_csv(report / "not_faces.csv", (head, *rows))
    print(text, end="")


def figures(answers: Answers, faces: NDArray[np.float64]) -> dict[str, Any]:
    """How many answers are uncertain, and how well face likeness tells their cuts from `faces`."""
    return {
        "uncertain": dataclasses.asdict(share(answers.is_uncertain)),
        "likeness_auroc": area_under_roc(faces, answers.face_likeness),
    }


def faces_likeness(path: Path) -> NDArray[np.float64]:
    """Face likeness of the faces with a majority, from the report's `logits.csv`."""
    with path.open(newline="") as file:
        likeness = [float(row["face_likeness"]) for row in csv.DictReader(file) if row["label"]]
    return np.array(likeness)


def made_cuts() -> dict[str, list[Image]]:
    """Grey cuts by their kind, the same on every call."""
    pictures = {name: getattr(skimage.data, name)() for name in PICTURES}
    if find_spec("sklearn") is None:
        print("scikit-learn is not installed: without its two scenes", file=sys.stderr)
    else:
        from sklearn.datasets import load_sample_image

        pictures |= {name.removesuffix(".jpg"): load_sample_image(name) for name in SCENES}
    kinds = {}
    for seed, (name, picture) in enumerate(pictures.items()):
        generator, grey = np.random.default_rng(seed), as_grey(picture)
        kinds[name] = [picture_cut(grey, generator) for _ in range(CUTS_OF_EACH)]
    for seed, (name, pattern) in enumerate(PATTERNS.items(), start=len(kinds)):
        generator = np.random.default_rng(seed)
        kinds[name] = [pattern(generator) for _ in range(CUTS_OF_EACH)]
    return kinds


def picture_cut(grey: Image, generator: Generator) -> Image:
    """A square of a random size and place, every size as likely as its double."""
    height, width = grey.shape
    side = round(np.exp(generator.uniform(np.log(SMALLEST_CUT), np.log(min(height, width)))))
    top, left = (int(generator.integers(0, room - side + 1)) for room in (height, width))
    return grey[top : top + side, left : left + side]


def as_grey(picture: NDArray[Any]) -> Image:
    """A picture of any kind, also of truth values, as grey (H, W)."""
    values = picture * np.uint8(255) if picture.dtype == bool else picture
    return to_grey(values) if values.ndim == 3 else np.asarray(values, dtype=np.uint8)


def salt_and_pepper(generator: Generator) -> Image:
    """Black and white specks on one grey."""
    specks = generator.random((PATTERN_SIDE, PATTERN_SIDE))
    share_of_each = generator.uniform(0.02, 0.5)
    grey = np.full_like(specks, generator.uniform(0, 255))
    grey[specks < share_of_each] = 0
    grey[specks > 1 - share_of_each] = 255
    return grey.astype(np.uint8)


def radial_gradient(generator: Generator) -> Image:
    """Light that falls off from a point."""
    y, x = np.indices((PATTERN_SIDE, PATTERN_SIDE)) / PATTERN_SIDE - generator.uniform(
        0, 1, (2, 1, 1)
    )
    light = 255 * np.exp(-np.hypot(x, y) / generator.uniform(0.2, 1))
    return np.asarray(light if generator.random() < 0.5 else 255 - light, dtype=np.uint8)


def chequers(generator: Generator) -> Image:
    """Stripes across stripes, turned."""
    size, angle = generator.uniform(4, 40), generator.uniform(0, np.pi)
    y, x = np.indices((PATTERN_SIDE, PATTERN_SIDE))
    along = np.floor((np.cos(angle) * x + np.sin(angle) * y) / size)
    across = np.floor((np.cos(angle) * y - np.sin(angle) * x) / size)
    dark, bright = np.sort(generator.uniform(0, 255, 2))
    return np.asarray(np.where((along + across) % 2 == 0, dark, bright), dtype=np.uint8)


PATTERNS: dict[str, Callable[[Generator], Image]] = {
    "salt and pepper noise": salt_and_pepper,
    "radial gradients": radial_gradient,
    "chequered stripes": chequers,
}


if __name__ == "__main__":
    main()
