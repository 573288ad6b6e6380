"""Files that torch has written."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mien.errors import ModelError


def read_torch_file(path: Path, kind: str) -> Any:
    """The content of a file that `torch.save` wrote, on the CPU; nothing in it is executed.

    Args:
        path: the file.
        kind: what it should be, for the error.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such {kind}") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise ModelError(f"{path}: not a readable {kind} ({reason})") from error


def load_initial_weights(network: nn.Module, path: Path) -> list[str]:
    """Take over every weight of a file that a network has too, in name and shape.

    The file holds weights by their names, or is a checkpoint, whose averaged weights are taken.
    What is returned are the names of the network's other weights, which stay as they are.

    Raises:
        ModelError: the file is missing or damaged, or less than half of the network is in it.
    """
    weights = read_torch_file(path, "file of weights")
    if isinstance(weights, dict):
        weights = weights.get("average", weights)
    ours = network.state_dict()
    known = {
        name: value
        for name, value in (weights.items() if isinstance(weights, dict) else ())
        if name in ours and ours[name].shape == getattr(value, "shape", None)
    }
    if 2 * len(known) < len(ours):
        raise ModelError(f"{path}: holds {len(known)} of the network's {len(ours)} weights")
    network.load_state_dict(known, strict=False)
    return [name for name in ours if name not in known]


def weights_digest(network: nn.Module) -> str:
    """SHA-256 of all weights of a network."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()
