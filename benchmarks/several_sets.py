"""Whether training on two data sets reaches what training on all of their faces as one does.

Half of FER+'s Training and Valid is disguised as a second data set: pictures in folders of classes
with other names, one label per face in place of ten votes (or, with --probabilities, shares of the
votes), and no contempt. Both trainings take as many epochs, the one on two sets a few steps fewer,
since faces led by contempt are left out. Training faces that stand in Valid too are left out of
both: between sets a training leaves them out, within one it only lists them. Both are scored on
the whole Valid by its votes, and on each of their sets. FER+'s Test is not touched.
Usage: python benchmarks/several_sets.py FERPLUS [--epochs 6] [--seeds 0 1 2] [--probabilities]
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mien.datasets.ferplus import SPLITS
from mien.datasets.leaks import find_leaks
from mien.datasets.manifest import PreparedFace, PreparedSet, write_prepared
from mien.datasets.sets import read_data_set
from mien.datasets.vote_table import (
    LABEL_FILE,
    first_of_each_name,
    read_label_file,
    votes_array,
    write_label_file,
)
from mien.datasets.votes import soft_targets
from mien.evaluation.validation import validate, validate_sets
from mien.labels import EMOTIONS
from mien.model_file import open_model
from mien.training.train import Training

#: What the second set calls the emotions; it has no contempt.
NAMES = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprised",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "afraid",
}


def main() -> None:
    """Train both ways with every seed, and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path, help="the folder `mien prepare ferplus` made")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--network", default="residual_xs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of Training that is learnt from")
    parser.add_argument("--probabilities", action="store_true")
    options = parser.parse_args()
    settings = {
        "network": options.network,
        "epochs": options.epochs,
        "threads": options.threads,
        "device": "cpu",
    }
    with tempfile.TemporaryDirectory() as name:
        whole, half, second = (Path(name) / part for part in ("whole", "half", "second"))
        lay_out(options.data_dir, whole, half, second, options.share, options.probabilities)
        print("| seed | data | steps | accuracy on Valid % | likelihood | of each set % |")
        print("| --- | --- | --- | --- | --- | --- |")
        for seed in options.seeds:
            for sets in ([whole], [half, second]):
                print(row(sets, whole, settings | {"seed": seed}), flush=True)


def lay_out(
    ferplus: Path, whole: Path, half: Path, second: Path, share: float, probabilities: bool
) -> None:
    """Write a share of Training, and Valid, as one data set and as two of a half each."""
    faces = []
    leaks = find_leaks([read_data_set(ferplus, ("train", "valid"))])
    leaked = {leak.train.name for leak in leaks}
    for split, taken in (("train", share), ("valid", 1.0)):
        given = ferplus / SPLITS[split].folder
        names = sorted(path.name for path in given.glob("*.png"))
        if split == "train":
            names = [name for name in names if name not in leaked]
        names = np.random.default_rng(0).permutation(names)[: round(taken * len(names))].tolist()
        link(given, whole, names)
        link(given, half, names[::2])
        faces += disguised(given, split, names[1::2], second, probabilities)
    write_prepared(second, PreparedSet("folder", tuple(NAMES), tuple(faces)))


def link(given: Path, out: Path, names: list[str]) -> None:
    """Some faces of a folder of FER+ as a folder of their own."""
    folder = out / given.name
    folder.mkdir(parents=True)
    wanted = set(names)
    rows = first_of_each_name(read_label_file(given / LABEL_FILE))
    write_label_file(folder / LABEL_FILE, [row for row in rows if row.name in wanted])
    for name in names:
        (folder / name).symlink_to(given.resolve() / name)


def disguised(
    given: Path, split: str, names: list[str], out: Path, probabilities: bool
) -> list[PreparedFace]:
    """Some faces of a folder of FER+ in folders of classes."""
    rows = first_of_each_name(read_label_file(given / LABEL_FILE))
    targets, has_label = soft_targets(votes_array(rows))
    has_label &= targets.argmax(axis=1) < len(NAMES)
    found, wanted = [], set(names)
    for row, target, takes in zip(rows, targets, has_label, strict=True):
        if row.name not in wanted or not takes:
            continue
        emotion = EMOTIONS[target.argmax()]
        path = f"{split}/{NAMES[emotion]}/{row.name}"
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(given / row.name, out / path)
        shares = target[: len(NAMES)] / target[: len(NAMES)].sum()
        probability = tuple(shares.tolist()) if probabilities else None
        found.append(PreparedFace(path, split, emotion, probabilities=probability))
    return found


def row(sets: list[Path], whole: Path, settings: dict[str, Any]) -> str:
    """Train on data sets; the scores as a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        training = Training(sets, path, None, settings)
        training.fit(lambda _progress: None, lambda: False)
        training.finish()
        model = open_model(path)
        scores = validate(model, whole, "valid").scores
        of_sets = validate_sets(model, sets, "valid").of_sets
        accuracies = [100 * (one.scores.accuracy.value or 0) for one in of_sets]
    return (
        f"| {settings['seed']} | {' and '.join(one.name for one in sets)} | {training.run.step} "
        f"| {100 * (scores.accuracy.value or 0):.2f} | {scores.negative_log_likelihood:.3f} "
        f"| {' and '.join(f'{value:.1f}' for value in accuracies)} |"
    )


if __name__ == "__main__":
    main()
