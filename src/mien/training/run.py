"""The state of a training run, and its checkpoint on disk."""

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from mien.errors import ModelError
from mien.files import replacing
from mien.training.config import TrainingConfig
from mien.training.networks import build_network, load_initial_weights

CHECKPOINT_FORMAT = 1


class EpochScores(TypedDict):
    """One row of the training's table."""

    epoch: int
    learning_rate: float
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass
class TrainingRun:
    """Everything that goes on changing while a network is trained.

    Attributes:
        config: the settings, fixed when the run began.
        data_digest: what the training data were.
        network: the network that is trained.
        average: its averaged weights (EMA): the result.
        optimizer: gradient descent with Nesterov momentum.
        step: how many steps were taken.
        epoch_loss: the sum of the losses of the steps of this epoch.
        epoch_seconds: time spent on this epoch.
        history: the scores after each whole epoch.
    """

    config: TrainingConfig
    data_digest: str
    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    epoch_loss: float = 0.0
    epoch_seconds: float = 0.0
    history: list[EpochScores] = field(default_factory=list)

    @classmethod
    def begin(cls, config: TrainingConfig, data_digest: str, device: torch.device) -> "TrainingRun":
        """A run before its first step.

        Raises:
            ConfigError: there is no such network.
            ModelError: the initial weights are missing, damaged or another network's.
        """
        torch.manual_seed(config.seed)
        network = build_network(config)
        if config.initial_weights:
            load_initial_weights(network, Path(config.initial_weights))
        return cls._of(network, config, data_digest, device)

    @classmethod
    def _of(
        cls, network: nn.Module, config: TrainingConfig, data_digest: str, device: torch.device
    ) -> "TrainingRun":
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(network).eval().requires_grad_(False)
        return cls(config, data_digest, network, average, _optimizer(network, config))

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "TrainingRun":
        """A run as its checkpoint left it.

        Raises:
            ModelError: the file is missing, damaged or no checkpoint.
        """
        state = _read_checkpoint(path, device)
        try:
            config = TrainingConfig.from_dict(state["config"])
            run = cls._of(build_network(config), config, state["data"], device)
            run.network.load_state_dict(state["network"])
            run.average.load_state_dict(state["average"])
            run.optimizer.load_state_dict(state["optimizer"])
            run.step, run.history = state["step"], state["history"]
            run.epoch_loss, run.epoch_seconds = state["epoch_loss"], state["epoch_seconds"]
        except (KeyError, TypeError, RuntimeError) as error:
            raise ModelError(
                f"{path}: the checkpoint does not fit this version ({error})"
            ) from error
        return run

    def save(self, path: Path) -> None:
        """Write the checkpoint; the one before stays whole until this one is."""
        state = {
            "format": CHECKPOINT_FORMAT,
            "config": self.config.to_dict(),
            "data": self.data_digest,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "epoch_loss": self.epoch_loss,
            "epoch_seconds": self.epoch_seconds,
            "history": self.history,
        }
        with replacing(path) as part:
            torch.save(state, part)

    def set_learning_rate(self, total_steps: int) -> float:
        """Warm-up to the highest learning rate, then half a cosine down to zero."""
        warmup_steps = self.config.warmup * total_steps
        place = self.step + 1
        if place < warmup_steps:
            share = place / warmup_steps
        else:
            decayed = (place - warmup_steps) / max(1.0, total_steps - warmup_steps)
            share = (1 + math.cos(math.pi * decayed)) / 2
        rate = self.config.learning_rate * share
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def update_average(self) -> None:
        """Draw the averaged weights towards the network's; faster in the first steps."""
        decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
        ours: dict[str, Tensor] = self.average.state_dict()
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                ours[name].lerp_(value, 1 - decay)
            else:
                ours[name].copy_(value)


def read_config(path: Path) -> TrainingConfig:
    """The settings that a checkpoint's run began with.

    Raises:
        ModelError: the file is missing, damaged or no checkpoint.
    """
    return TrainingConfig.from_dict(_read_checkpoint(path, torch.device("cpu"))["config"])


def _optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Weight decay acts on matrices and kernels only."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        groups, config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
    )


def _read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such checkpoint") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: not a readable checkpoint ({reason})") from error
    if not isinstance(state, dict) or state.get("format") != CHECKPOINT_FORMAT:
        raise ModelError(f"{path}: no mien checkpoint of format {CHECKPOINT_FORMAT}")
    return state
