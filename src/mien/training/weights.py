"""Weights from files: of torch, and of models."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import ModelError
from mien.model_file import open_model
from mien.models import PACKAGED
from mien.training.config import TrainingConfig
from mien.training.folding import model_weights, restore_normalisation, unfolded

LAST_LAYER = "head."


def read_torch_file(path: Path, kind: str) -> Any:
    """The content of a file that `torch.save` wrote, on the CPU; nothing in it is executed.

    Args:
        path: the file.
        kind: what it should be, for the error.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        if zipfile.is_zipfile(path):  # torch does not look at the checksums
            with zipfile.ZipFile(path) as archive:
                if name := archive.testzip():
                    raise ModelError(f"{path}: not a readable {kind} ({name} is damaged)")
        return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except FileNotFoundError:
        raise ModelError(f"{path}: no such {kind}") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise ModelError(f"{path}: not a readable {kind} ({reason})") from error


def is_model(name: str) -> bool:
    """Whether it is the name of a model file, or of a packaged model."""
    return name in PACKAGED or Path(name).suffix == ".onnx"


def file_digest(name: str) -> str:
    """SHA-256 of a file, or of a packaged model."""
    if name in PACKAGED:
        return PACKAGED[name]
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def load_initial_weights(
    network: nn.Module, config: TrainingConfig, faces: Tensor | None = None
) -> list[str]:
    """Take over every one of the initial weights that a network has too, in name and shape.

    They come from a file that holds weights by their names, from a checkpoint, whose averaged
    weights are taken, or from a model. What is returned are the names of the network's other
    weights, which stay as they are.

    Args:
        network: what is to be trained.
        config: names the initial weights, and what the network's answers stand for.
        faces: (N, 1, S, S) from 0 to 1, which the normalisation of a model is measured on: a model
            file has it folded into the kernels.

    Raises:
        ModelError: the file is missing or damaged, computes in eight bits, or holds less than
            half of the network.
    """
    path = config.initial_weights
    if is_model(path):
        weights: Any = unfolded(network, _model_weights(path, config.labels))
    else:
        kind = f"file of weights, or packaged model ({', '.join(PACKAGED)})"
        weights = read_torch_file(Path(path), kind)
    if isinstance(weights, dict) and isinstance(weights.get("average"), dict):
        try:
            known_labels = weights["config"]["labels"]
            weights = _with_last_layer_for(config.labels, weights["average"], known_labels)
        except (LookupError, TypeError, AttributeError) as error:
            raise ModelError(f"{path}: does not fit this version of mien ({error})") from error
    ours = network.state_dict()
    known = {
        name: value
        for name, value in (weights.items() if isinstance(weights, dict) else ())
        if name in ours and ours[name].shape == getattr(value, "shape", None)
    }
    if 2 * len(known) < len(ours):
        raise ModelError(
            f"{path}: holds {len(known)} of the network's {len(ours)} weights, expected half of "
            "them or more"
        )
    network.load_state_dict(known, strict=False)
    if is_model(path):
        assert faces is not None
        restore_normalisation(network, faces, known)
    return [name for name in ours if name not in known]


def _model_weights(name: str, labels: Sequence[str]) -> dict[str, Tensor]:
    """Of a model, its last layer for these labels; without it, if it does not know them all."""
    model = open_model(name)
    if "quantized" in model.metadata.provenance:
        raise ModelError(f"{name}: computes in eight bits, expected one in single precision")
    return _with_last_layer_for(labels, model_weights(model.content), model.metadata.labels)


def _with_last_layer_for(
    labels: Sequence[str], weights: Mapping[str, Tensor], known: Sequence[str]
) -> dict[str, Tensor]:
    """Weights with the last layer for these labels; without it, if they are not all known."""
    last = {name: value for name, value in weights.items() if name.startswith(LAST_LAYER)}
    others = {name: value for name, value in weights.items() if name not in last}
    if not set(labels) <= set(known):
        return others
    rows = [known.index(label) for label in labels]
    return others | {name: value[rows] for name, value in last.items()}


def weights_digest(network: nn.Module) -> str:
    """SHA-256 of all weights of a network."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()
