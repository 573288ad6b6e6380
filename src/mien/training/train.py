"""A whole training: data in, model file, checkpoint, table and curves out."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mien.datasets.ferplus import FaceSet, read_split
from mien.errors import ConfigError, ModelError
from mien.evaluation.fitting import calibration_half
from mien.training.config import RUNNING, TrainingConfig, read_settings
from mien.training.curves import draw_curves, write_table
from mien.training.data import scoring_data, training_data
from mien.training.export import export
from mien.training.fit import Progress, choose_device, fit
from mien.training.run import TrainingRun, read_config


@dataclass(frozen=True)
class TrainingFiles:
    """The files of one training: the model file names the others."""

    model: Path

    def __post_init__(self) -> None:
        if self.model.suffix != ".onnx":
            raise ConfigError(f"the model path is {str(self.model)!r}, expected a name in .onnx")

    @property
    def checkpoint(self) -> Path:
        """What `--resume` goes on from."""
        return self.model.with_suffix(".ckpt")

    @property
    def table(self) -> Path:
        """One row an epoch."""
        return self.model.with_suffix(".csv")

    @property
    def curves(self) -> Path:
        """The table as a picture."""
        return self.model.with_suffix(".png")


class Training:
    """A training that is ready for its first, or its next, step.

    Args:
        data_dir: the folders of FER+.
        model_path: the model file to write; the checkpoint, table and curves stand beside it.
        config_path: a TOML file with settings.
        flags: settings that go before those of the file.
        resume: go on from the checkpoint instead of beginning anew.

    Raises:
        ConfigError: a setting is unknown or out of range, differs from the checkpoint's, or the
            files of an earlier training are in the way.
        DataError: the data set is missing or damaged.
        ModelError: the checkpoint is missing or damaged, or began with other data.
    """

    def __init__(
        self,
        data_dir: Path,
        model_path: Path,
        config_path: Path | None = None,
        flags: dict[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.files = TrainingFiles(model_path)
        asked = ({} if config_path is None else read_settings(config_path)) | (flags or {})
        self.run = _resume(self.files, asked) if resume else _begin(self.files, asked)
        config, device = self.run.config, choose_device(self.run.config.device)
        self.train_faces = read_split(data_dir, "train")
        self.valid_faces = read_split(data_dir, "valid")
        data = training_data(self.train_faces, config)
        digest = data.digest()
        if resume and self.run.data_digest != digest:
            raise ModelError(
                f"{self.files.checkpoint}: began with other training data than {data_dir} holds"
            )
        self.run.data_digest = digest
        self.data = data.to(device)
        self.teachers = [_load_teacher(Path(path), config, device) for path in config.teacher]
        self.scoring = scoring_data(_selection_half(self.valid_faces), config).to(device)

    def fit(self, on_step: Callable[[Progress], None], stopped: Callable[[], bool]) -> None:
        """Train to the end of the schedule, or until `stopped`; a checkpoint is left either way."""
        self.files.model.parent.mkdir(parents=True, exist_ok=True)
        fit(self.run, self.data, self.scoring, self.teachers, on_step, self.save, stopped)
        self.save()

    def save(self) -> None:
        """Write the checkpoint and the table."""
        self.run.save(self.files.checkpoint)
        write_table(self.files.table, self.run.history)

    def finish(self) -> None:
        """Write the model file and the curves."""
        export(self.run, self.train_faces, self.valid_faces, self.files.model)
        draw_curves(self.files.curves, self.run.history)


def export_checkpoint(checkpoint: Path, data_dir: Path, model_path: Path) -> None:
    """Make a model file again from a checkpoint.

    Raises:
        ModelError: the checkpoint is missing or damaged.
        DataError: the data set is missing or damaged.
    """
    run = TrainingRun.load(checkpoint, torch.device("cpu"))
    train, valid = read_split(data_dir, "train"), read_split(data_dir, "valid")
    export(run, train, valid, TrainingFiles(model_path).model)


def _begin(files: TrainingFiles, asked: dict[str, Any]) -> TrainingRun:
    config = TrainingConfig.from_dict(asked)
    for path in (files.model, files.checkpoint):
        if path.exists():
            raise ConfigError(
                f"{path} stands from an earlier training: go on with it (--resume), "
                "or choose another --model-path"
            )
    return TrainingRun.begin(_with_threads(config), "", choose_device(config.device))


def _resume(files: TrainingFiles, asked: dict[str, Any]) -> TrainingRun:
    """The run of a checkpoint; it keeps its settings, as its schedule is fixed in advance."""
    began = read_config(files.checkpoint)
    config = TrainingConfig.from_dict(began.to_dict() | asked)
    for name, value in began.to_dict().items():
        if name not in RUNNING and config.to_dict()[name] != value:
            raise ConfigError(
                f"{name} is {config.to_dict()[name]!r}, but {files.checkpoint} began with "
                f"{value!r}; a run keeps its settings"
            )
    run = TrainingRun.load(files.checkpoint, choose_device(config.device))
    return dataclasses.replace(run, config=_with_threads(config))


def _load_teacher(path: Path, config: TrainingConfig, device: torch.device) -> nn.Module:
    teacher = TrainingRun.load(path, device)
    if (teacher.config.labels, teacher.config.input_size) != (config.labels, config.input_size):
        raise ConfigError(
            f"{path}: the teacher knows {', '.join(teacher.config.labels)} at "
            f"{teacher.config.input_size} pixels, expected {', '.join(config.labels)} at "
            f"{config.input_size}"
        )
    return teacher.average.eval()


def _with_threads(config: TrainingConfig) -> TrainingConfig:
    if config.threads:
        torch.set_num_threads(config.threads)
    return config


def _selection_half(valid: FaceSet) -> FaceSet:
    return valid.select(~calibration_half(len(valid)))
