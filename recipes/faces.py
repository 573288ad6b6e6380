"""What recipes for weights share: faces to measure a network on, and the file to begin with."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mien.datasets.ferplus import read_split
from mien.evaluation.scoring import network_faces
from mien.files import replacing

FACES = 1024


def training_faces(data_dir: Path, side: int, count: int = FACES) -> Tensor:
    """Grey training faces (N, 1, side, side) from 0 to 1, drawn from all."""
    faces = read_split(data_dir, "train")
    generator = np.random.default_rng(0)
    drawn = generator.choice(len(faces), min(count, len(faces)), replace=False)
    chosen = np.isin(np.arange(len(faces)), drawn)
    return torch.from_numpy(network_faces(faces.select(chosen), side))[:, None].float() / 255


def save_without_head(network: nn.Module, path: Path) -> None:
    """Write the weights of all but the last layer, which knows other classes or none."""
    weights = network.state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith("head.")}
    with replacing(path) as part:
        torch.save(kept, part)
