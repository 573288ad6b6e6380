"""Weights to begin the network `face_resnet` with, out of dlib's face recognition network.

The file `dlib_face_recognition_resnet_model_v1.dat` (Davis King, CC0) comes in the Python package
`face_recognition_models`. Its scales and offsets become normalisation with the statistics of
training faces, so that the network gives what it gave and can be trained on.
Usage: python recipes/face_weights.py FILE.dat DATA_DIR WEIGHTS.pt
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from faces import save_without_head, training_faces
from torch import Tensor, nn

from mien.training.config import TrainingConfig
from mien.training.folding import restore_normalisation
from mien.training.networks import build_network

#: The names that dlib gives convolutions, and scales and offsets; a tensor follows each.
LAYER = re.compile(rb"\x01(?:\x05con_4|\x07affine_)\x01\x02")


def main() -> None:
    """Read dlib's file and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="dlib_face_recognition_resnet_model_v1.dat")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    config = TrainingConfig(network="face_resnet")
    network = build_network(config).eval()
    take_weights(network, layers(options.file.read_bytes()))
    restore_normalisation(network, training_faces(options.data_dir, config.input_size))
    save_without_head(network, options.weights)


def layers(content: bytes) -> Iterator[Tensor]:
    """The values of every convolution, and of the scales and offsets after it, in their order."""
    place = 0
    while match := LAYER.search(content, place):
        place, shape = match.end(), []
        for _ in range(4):
            size, place = _integer(content, place)
            shape.append(size)
        values = np.frombuffer(content, "<f4", int(np.prod(shape)), place)
        place += values.nbytes
        yield torch.from_numpy(values.copy())


def _integer(content: bytes, place: int) -> tuple[int, int]:
    """A number, its length before it, and the place after it."""
    end = place + 1 + content[place]
    return int.from_bytes(content[place + 1 : end], "little"), end


@torch.no_grad()
def take_weights(network: nn.Module, values: Iterator[Tensor]) -> None:
    """Fill convolutions and normalisations in turn; the latter only scale and add at first."""
    modules = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    for kernel, norm in zip(modules[::2], modules[1::2], strict=True):
        assert isinstance(kernel, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        weight, offset = torch.tensor_split(next(values), [kernel.weight.numel()])
        scale, shift = torch.tensor_split(next(values), [kernel.out_channels])
        kernel.weight.copy_(weight.view_as(kernel.weight))
        norm.weight.copy_(scale * (1 + norm.eps) ** 0.5)
        norm.bias.copy_(shift + scale * offset)


if __name__ == "__main__":
    main()
