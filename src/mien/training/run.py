"""The state of a training run, and its checkpoint on disk."""

import copy
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from mien.errors import ConfigError, ModelError
from mien.files import replacing
from mien.training.config import RUNNING, TrainingConfig
from mien.training.devices import choose_device, keep_freed_memory, set_threads
from mien.training.embeddings import EmbeddingMatch
from mien.training.networks import build_network
from mien.training.weights import file_digest, load_initial_weights, read_torch_file

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
        teacher_digests: what the teachers were.
        network: the network that is trained.
        average: its averaged weights (EMA): the result.
        optimizer: gradient descent with Nesterov momentum.
        step: how many steps were taken.
        epoch_loss: the sum of the losses of the steps of this epoch.
        epoch_seconds: time spent on this epoch.
        history: the scores after each whole epoch.
        not_given: the names of what the initial weights lacked; empty without any.
        initial_digest: SHA-256 of the file of the initial weights; empty without any.
        match: learns what teachers see, beside the network; None where it is not asked for.
        changes: what was done to the averaged network after its training, a sentence each.
    """

    config: TrainingConfig
    data_digest: str
    teacher_digests: list[str]
    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    epoch_loss: float = 0.0
    epoch_seconds: float = 0.0
    history: list[EpochScores] = field(default_factory=list)
    not_given: list[str] = field(default_factory=list)
    initial_digest: str = ""
    match: EmbeddingMatch | None = None
    changes: list[str] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        config: TrainingConfig,
        data_digest: str = "",
        teacher_digests: Sequence[str] = (),
        faces: Tensor | None = None,
    ) -> "TrainingRun":
        """A run before its first step.

        Args:
            config: its settings.
            data_digest: what the training data are.
            teacher_digests: what the teachers are.
            faces: some to learn from, (N, 1, S, S) from 0 to 1; needed where the initial weights
                are those of a model.

        Raises:
            ConfigError: there is no such network, part of it, or device.
            ModelError: the initial weights are missing, damaged or another network's.
        """
        torch.manual_seed(config.seed)
        network = build_network(config)
        not_given, initial_digest = [], ""
        if config.initial_weights:
            not_given = load_initial_weights(network, config, faces)
            initial_digest = file_digest(config.initial_weights)
        run = cls._of(network, config, data_digest, list(teacher_digests))
        run.not_given, run.initial_digest = not_given, initial_digest
        return run

    @classmethod
    def _of(
        cls,
        network: nn.Module,
        config: TrainingConfig,
        data_digest: str,
        teacher_digests: list[str],
    ) -> "TrainingRun":
        set_threads(config.threads)
        keep_freed_memory()
        for part in _fixed_parts(network, config):
            part.requires_grad_(False)
        network = network.to(choose_device(config.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(network).eval().requires_grad_(False)
        optimizer = _optimizer(network, config)
        return cls(config, data_digest, teacher_digests, network, average, optimizer)

    @classmethod
    def load(cls, path: Path, settings: dict[str, Any] | None = None) -> "TrainingRun":
        """A run as its checkpoint left it.

        Args:
            path: the checkpoint.
            settings: settings asked for now; only those of `RUNNING` may differ, and the folders
                of files.

        Raises:
            ModelError: the file is missing, damaged, or of another version.
            ConfigError: a setting differs, or there is no such device.
        """
        state = read_torch_file(path, "checkpoint")
        if not isinstance(state, dict) or state.get("format") != CHECKPOINT_FORMAT:
            raise ModelError(f"{path}: no mien checkpoint of format {CHECKPOINT_FORMAT}")
        try:
            began = TrainingConfig.from_dict(state["config"])
        except (KeyError, TypeError, AttributeError, ConfigError) as error:
            raise ModelError(f"{path}: does not fit this version of mien ({error})") from error
        config = _same_settings(path, began, settings or {})
        try:
            run = cls._of(build_network(config), config, state["data"], list(state["teachers"]))
            if state.get("match"):  # earlier ones have none
                run.learn_embeddings(EmbeddingMatch.of_state(state["match"]))
            run.network.load_state_dict(state["network"])
            run.average.load_state_dict(state["average"])
            run.optimizer.load_state_dict(state["optimizer"])
            run.step, run.history = int(state["step"]), list(state["history"])
            run.epoch_loss = float(state["epoch_loss"])
            run.epoch_seconds = float(state["epoch_seconds"])
            run.initial_digest = state.get("initial", "")  # earlier ones do not say
            run.changes = list(state.get("changes", ()))
        except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            if isinstance(error, ConfigError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{path}: does not fit this version of mien ({reason})") from error
        return run

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def is_finished(self) -> bool:
        """Whether the schedule has come to its end."""
        return len(self.history) >= self.config.epochs

    def save(self, path: Path) -> None:
        """Write the checkpoint; the one before stays whole until this one is."""
        state = {
            "format": CHECKPOINT_FORMAT,
            "config": self.config.to_dict(),
            "data": self.data_digest,
            "teachers": self.teacher_digests,
            "initial": self.initial_digest,
            "changes": self.changes,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "match": self.match and self.match.state_dict(),
            "step": self.step,
            "epoch_loss": self.epoch_loss,
            "epoch_seconds": self.epoch_seconds,
            "history": self.history,
        }
        buffer = io.BytesIO()  # torch reports a full disk as a RuntimeError, Python as what it is
        torch.save(state, buffer)
        with replacing(path) as part:
            part.write_bytes(buffer.getbuffer())

    def learn_embeddings(self, match: EmbeddingMatch) -> None:
        """Have `match` learn with the network."""
        self.match = match.to(self.device)
        for group in _parameter_groups(self.match, self.config):
            self.optimizer.add_param_group(group)

    def set_to_train(self) -> None:
        """Have the network drop and normalise as in training, but for the parts that are fixed."""
        self.network.train()
        for part in _fixed_parts(self.network, self.config):
            part.eval()

    def set_learning_rate(self, total_steps: int) -> float:
        """Warm-up to the highest learning rate, then half a cosine down to zero."""
        warmup_steps = self.config.warmup * total_steps
        if self.step < warmup_steps:
            share = (self.step + 1) / (warmup_steps + 1)
        else:
            decayed = (self.step - warmup_steps) / (total_steps - warmup_steps)
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


def _same_settings(path: Path, began: TrainingConfig, settings: dict[str, Any]) -> TrainingConfig:
    """What a resumed run goes on with: its own settings, as its schedule is fixed in advance.

    Files may have moved: teachers are known by what they hold, and its first weights are its own.
    """
    config = TrainingConfig.from_dict(began.to_dict() | settings)
    asked, kept = config.to_dict(), began.to_dict()
    asked["initial_weights"] = Path(asked["initial_weights"]).name
    kept["initial_weights"] = Path(kept["initial_weights"]).name
    for name, value in kept.items():
        if name not in (*RUNNING, "teacher") and asked[name] != value:
            raise ConfigError(
                f"{name} is {asked[name]!r}, but {path} began with {value!r}; "
                "a run keeps its settings"
            )
    return config


def _fixed_parts(network: nn.Module, config: TrainingConfig) -> list[nn.Module]:
    known = dict(network.named_modules())
    for name in config.fixed:
        if not name or name not in known:
            parts = ", ".join(name for name, _ in network.named_children())
            raise ConfigError(f"fixed names {name!r}, but {config.network} consists of {parts}")
    return [known[name] for name in config.fixed]


def _optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    groups = _parameter_groups(network, config)
    if not any(group["params"] for group in groups):
        raise ConfigError(f"fixed leaves nothing of {config.network} to learn")
    return torch.optim.SGD(
        groups, config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
    )


def _parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """Weight decay acts on matrices and kernels only."""
    parameters = [one for one in network.parameters() if one.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
