"""A checkpoint whose network favours rare classes a little more than what it was trained to.

A power of the classes' frequencies is taken off its answers, in the offsets of the last layer
(logit adjustment after training, Menon et al. 2021, arXiv 2007.07314).
Usage: python recipes/balance.py TRAINING.ckpt DATA_DIR POWER BALANCED.ckpt
"""

import sys
from pathlib import Path

import torch

from mien.datasets.ferplus import read_split
from mien.training.data import training_data
from mien.training.run import TrainingRun


@torch.no_grad()
def main() -> None:
    """Read the checkpoint, change its averaged network, and write it."""
    checkpoint, data_dir, power, path = sys.argv[1:]
    run = TrainingRun.load(Path(checkpoint), {"device": "cpu"})
    data = training_data([read_split(Path(data_dir), "train")], run.config)
    frequencies = data.frequencies().clamp(min=1 / len(data.targets))
    run.average.get_parameter("head.bias").sub_(float(power) * frequencies.log())
    run.save(Path(path))


if __name__ == "__main__":
    main()
