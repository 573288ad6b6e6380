"""A checkpoint half-way between what a training began with and what it came to.

Where a training went on from good weights, the mean of both is often better than either, and keeps
what the first was good at (Wortsman et al. 2022, arXiv 2109.01903). The statistics of the
normalisation are measured anew on training faces.
Usage: python recipes/average.py WEIGHTS.pt TRAINING.ckpt DATA_DIR AVERAGED.ckpt
"""

import sys
from pathlib import Path

import torch
from narrow import training_faces
from torch import Tensor, nn

from mien.training.run import TrainingRun

SHARE = 0.5
BATCH = 512


@torch.no_grad()
def main() -> None:
    """Read both, and write the checkpoint between them."""
    weights, checkpoint, data_dir, path = sys.argv[1:5]
    first = torch.load(weights, map_location="cpu", weights_only=True)
    run = TrainingRun.load(Path(checkpoint), {"device": "cpu"})
    last = run.average.state_dict()
    run.average.load_state_dict({name: _between(first[name], last[name]) for name in last})
    measure_normalisation(run.average, training_faces(Path(data_dir)))
    run.save(Path(path))


def _between(first: Tensor, last: Tensor) -> Tensor:
    return first.lerp(last, SHARE) if first.is_floating_point() else last


def measure_normalisation(network: nn.Module, faces: Tensor) -> None:
    """Set mean and variance of every normalisation to those of its inputs over faces."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for batch in torch.split(faces, BATCH):
        network(batch)
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()


if __name__ == "__main__":
    main()
