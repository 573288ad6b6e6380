"""A checkpoint between what trainings began with and what they came to.

Where trainings went on from the same good weights, the mean of all is often better than each, and
keeps what the first was good at (Wortsman et al. 2022, arXiv 2109.01903 and 2203.05482). All count
the same, or the trainings together as much as --share says. The statistics of the normalisation are
measured anew on training faces or, with --keep-normalisation, averaged like the weights.
Usage: python recipes/average.py FIRST.pt|.ckpt TRAINING.ckpt [TRAINING.ckpt ...] DATA_DIR MEAN.ckpt
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from faces import training_faces
from torch import Tensor, nn

from mien.training.run import TrainingRun

BATCH = 512
#: Training faces that the normalisation is measured on.
FACES = 4096


@torch.no_grad()
def main() -> None:
    """Read all, and write the checkpoint between them."""
    parser, options = parse()
    runs = [TrainingRun.load(path, {"device": "cpu"}) for path in options.checkpoints]
    for name in ("network", "labels", "input_size"):
        values = {getattr(run.config, name) for run in runs}
        if len(values) > 1:
            parser.error(f"the trainings differ in {name}: {' and '.join(map(str, values))}")
    first = torch.load(options.first, map_location="cpu", weights_only=True)
    ends = [first.get("average", first)]
    ends += [run.average.state_dict() for run in runs]
    share = len(runs) / len(ends) if options.share is None else options.share
    weights = [1 - share] + [share / len(runs)] * len(runs)
    run = runs[0]
    between = {name: mean([end[name] for end in ends], weights) for name in ends[-1]}
    run.average.load_state_dict(between)
    if not options.keep_normalisation:
        faces = training_faces(options.data_dir, run.config.input_size, FACES)
        measure_normalisation(run.average, faces)
    names = [path.name for path in (options.first, *options.checkpoints)]
    parts = [f"{weight:.3g} of {name}" for weight, name in zip(weights, names, strict=True)]
    statistics = "averaged too" if options.keep_normalisation else "measured anew"
    run.changes.append(f"Mean of weights: {', '.join(parts)}; normalisation {statistics}")
    run.save(options.averaged)


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The command line, and what tells its errors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("averaged", type=Path)
    parser.add_argument("--share", type=float, help="of the trainings, from 0 to 1")
    parser.add_argument("--keep-normalisation", action="store_true")
    options = parser.parse_args()
    if options.share is not None and not 0 <= options.share <= 1:
        parser.error(f"--share is {options.share}, expected from 0 to 1")
    return parser, options


def mean(values: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted mean; of counters the last one."""
    if not values[0].is_floating_point():
        return values[-1]
    return sum((w * value for w, value in zip(weights, values, strict=True)), values[0] * 0)


def measure_normalisation(network: nn.Module, faces: Tensor) -> None:
    """Set mean and variance of every normalisation to those of its inputs over faces."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches, which are about equal
        norm.train()
    for batch in torch.tensor_split(faces, math.ceil(len(faces) / BATCH)):
        network(batch)
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()


if __name__ == "__main__":
    main()
