"""A checkpoint in the middle between what trainings began with and what they came to.

Where trainings went on from the same good weights, the mean of all is often better than each, and
keeps what the first was good at (Wortsman et al. 2022, arXiv 2109.01903 and 2203.05482). The
statistics of the normalisation are measured anew on training faces.
Usage: python recipes/average.py WEIGHTS.pt TRAINING.ckpt [TRAINING.ckpt ...] DATA_DIR AVERAGED.ckpt
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from narrow import training_faces
from torch import Tensor, nn

from mien.training.run import TrainingRun

BATCH = 512


@torch.no_grad()
def main() -> None:
    """Read all, and write the checkpoint between them."""
    weights, *checkpoints, data_dir, path = sys.argv[1:]
    runs = [TrainingRun.load(Path(checkpoint), {"device": "cpu"}) for checkpoint in checkpoints]
    ends = [torch.load(weights, map_location="cpu", weights_only=True)]
    ends += [run.average.state_dict() for run in runs]
    run = runs[0]
    run.average.load_state_dict({name: _mean([end[name] for end in ends]) for name in ends[-1]})
    measure_normalisation(run.average, training_faces(Path(data_dir)))
    run.save(Path(path))


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(dim=0) if values[0].is_floating_point() else values[-1]


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
