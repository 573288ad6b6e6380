"""A checkpoint whose network favours rare classes a little more than what it was trained to.

A power of the classes' frequencies is taken off its answers, in the offsets of the last layer
(logit adjustment after training, Menon et al. 2021, arXiv 2007.07314).
Usage: python recipes/balance.py TRAINING.ckpt DATA_DIR [DATA_DIR ...] POWER BALANCED.ckpt
"""

import argparse
from pathlib import Path

import torch

from mien.training.data import training_data
from mien.training.faces import TrainingFaces
from mien.training.run import TrainingRun


@torch.no_grad()
def main() -> None:
    """Read the checkpoint, change its averaged network, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data_dirs", type=Path, nargs="+", help="those it was trained on")
    parser.add_argument("power", type=float)
    parser.add_argument("balanced", type=Path)
    options = parser.parse_args()
    run = TrainingRun.load(options.checkpoint, {"device": "cpu"})
    data = training_data(TrainingFaces.read(options.data_dirs).train, run.config)
    if data.digest() != run.data_digest:
        parser.error(f"{options.checkpoint}: began with other training data")
    run.average.get_parameter("head.bias").sub_(options.power * data.frequencies().log())
    run.changes.append(f"Of its answers {options.power:g} of the classes' frequencies taken off")
    run.save(options.balanced)


if __name__ == "__main__":
    main()
