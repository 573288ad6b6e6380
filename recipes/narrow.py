"""Weights to begin a narrower network with, out of a finished model file.

The last stage of a residual network keeps the channels that carry most; what the others gave on
average goes into the biases. Normalisation, which a model file has folded into the kernels, is
taken out of them again by statistics over training faces.
Usage: python recipes/narrow.py MODEL.onnx DATA_DIR NETWORK WEIGHTS.pt
"""

import argparse
from pathlib import Path

import torch
from faces import training_faces
from torch import Tensor, nn

from mien.files import replacing
from mien.model_file import open_model, read_model
from mien.training.config import TrainingConfig
from mien.training.folding import model_weights, restore_normalisation, unfolded
from mien.training.networks import build_network
from mien.training.networks.residual import ResidualNetwork


@torch.no_grad()
def main() -> None:
    """Read a model file, narrow it, and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="a model file of a residual network")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("network", help="the narrower network's name")
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    settings = open_model(options.model).metadata.provenance["settings"]
    weights = model_weights(read_model(options.model))
    faces = training_faces(options.data_dir, settings["input_size"])

    wide = with_folded_weights(build_network(TrainingConfig.from_dict(settings)), weights)
    narrow = build_network(TrainingConfig.from_dict({**settings, "network": options.network}))
    assert isinstance(wide, ResidualNetwork)
    assert isinstance(narrow, ResidualNetwork)
    narrow = with_folded_weights(narrow, narrowed(wide, narrow, weights, faces))
    restore_normalisation(narrow, faces)
    difference = (wide(faces).logits - narrow(faces).logits).abs().mean().item()
    print(f"logits differ by {difference:.2f} on average before training goes on")
    with replacing(options.weights) as part:
        torch.save(narrow.state_dict(), part)


def with_folded_weights(network: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """The network in the form it is deployed in: its normalisation adds the biases only."""
    network.load_state_dict(unfolded(network, weights))
    return network.eval()


@torch.no_grad()
def narrowed(
    wide: ResidualNetwork, narrow: ResidualNetwork, weights: dict[str, Tensor], faces: Tensor
) -> dict[str, Tensor]:
    """The folded weights with fewer channels in the last block."""
    last = len(wide.blocks) - 1
    inner, outer = f"blocks.{last}.branch.0", f"blocks.{last}.branch.3"
    shortcut = f"blocks.{last}.shortcut.0"
    count = narrow.head.in_features

    hidden: list[Tensor] = []
    hook = wide.get_submodule(f"blocks.{last}.branch.2").register_forward_hook(
        lambda _module, _inputs, output: hidden.append(output)
    )
    embedding = wide(faces).embedding
    hook.remove()
    after = weights[f"{outer}.weight"]  # (W, H, 3, 3)
    mean, spread = hidden[0].mean(dim=(0, 2, 3)), hidden[0].std(dim=(0, 2, 3))
    kept, lost = _split(spread * after.pow(2).sum(dim=(0, 2, 3)).sqrt(), count)
    given = after[:, lost].sum(dim=(2, 3)) @ mean[lost]
    head = weights["head.weight"]  # (C, W)
    out, gone = _split(embedding.std(dim=0) * head.norm(dim=0), count)
    return weights | {
        f"{inner}.weight": weights[f"{inner}.weight"][kept],
        f"{inner}.bias": weights[f"{inner}.bias"][kept],
        f"{outer}.weight": after[out][:, kept],
        f"{outer}.bias": (weights[f"{outer}.bias"] + given)[out],
        f"{shortcut}.weight": weights[f"{shortcut}.weight"][out],
        f"{shortcut}.bias": weights[f"{shortcut}.bias"][out],
        "head.weight": head[:, out],
        "head.bias": weights["head.bias"] + head[:, gone] @ embedding.mean(dim=0)[gone],
    }


def _split(importance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The most important channels and the others, each in their order."""
    order = importance.argsort(descending=True)
    return order[:count].sort().values, order[count:].sort().values


if __name__ == "__main__":
    main()
