"""A whole training: data in, model file, checkpoint, table and curves out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mien.datasets.leaks import write_leaks
from mien.errors import ConfigError, MienError, ModelError
from mien.evaluation.fitting import calibration_half, check_calibration_faces
from mien.files import check_no_folder, check_writable
from mien.training.augment import Draw, as_taught, change, spoil
from mien.training.config import TrainingConfig, read_settings
from mien.training.curves import draw_curves, write_table
from mien.training.data import TrainingData, scoring_data, training_data
from mien.training.embeddings import EmbeddingMatch
from mien.training.export import export
from mien.training.faces import TrainingFaces
from mien.training.fit import Progress, fit
from mien.training.low_rank import sample_faces
from mien.training.run import TrainingRun
from mien.training.teachers import answers_to_all, embeddings_of, load_teacher

#: Faces that the normalisation is measured on where a model is trained on.
MEASURED_FACES = 256
#: Faces whose embeddings show the main axes of a teacher's.
FACES_FOR_AXES = 1024


@dataclass(frozen=True)
class TrainingFiles:
    """The files of one training: the model file names the others."""

    model: Path

    def __post_init__(self) -> None:
        if self.model.suffix != ".onnx":
            raise ConfigError(f"the model path is {str(self.model)!r}, expected a name in .onnx")

    def check_free(self) -> None:
        """Raise ConfigError if one of the files that come of the training is there."""
        for path in (self.model, self.checkpoint, self.table, self.curves, self.leaks):
            if path.exists():
                raise ConfigError(
                    f"{path} is there already: go on with its training (--resume), "
                    "or choose another --model-path"
                )

    def check_apart(self, checkpoint: Path | None) -> None:
        """Raise ConfigError if a model file would stand beside the files of another training."""
        if self.checkpoint.exists() and not (checkpoint and self.checkpoint.samefile(checkpoint)):
            raise ConfigError(
                f"{self.model}: would stand beside {self.checkpoint.name}, which is of another "
                "training; choose another --model-path"
            )

    def check_writable(self) -> None:
        """Make the folder if need be; raise OSError if no file can be written there."""
        check_no_folder(self.model)
        check_writable(self.model.parent)

    @property
    def checkpoint(self) -> Path:
        """What `--resume` goes on from."""
        return self.model.with_suffix(".ckpt")

    @property
    def table(self) -> Path:
        """One row per epoch."""
        return self.model.with_suffix(".csv")

    @property
    def curves(self) -> Path:
        """The table as a picture."""
        return self.model.with_suffix(".png")

    @property
    def leaks(self) -> Path:
        """Which faces to learn from look like which held-out ones."""
        return self.model.with_suffix(".leaks.csv")


class Training:
    """A training that is ready for its first, or its next, step.

    Args:
        data_dirs: the data sets.
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
        data_dirs: Sequence[Path],
        model_path: Path,
        config_path: Path | None = None,
        flags: dict[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.files = TrainingFiles(model_path)
        asked = ({} if config_path is None else read_settings(config_path)) | (flags or {})
        if resume:
            self.run = TrainingRun.load(self.files.checkpoint, asked)
            config = self.run.config
        else:
            config = TrainingConfig.from_dict(asked)
            self.files.check_free()
        _check_teaching(config, asked)
        self.faces = TrainingFaces.read(data_dirs)
        data = training_data(self.faces.train, config)
        if not resume and not (config.teacher and config.teacher_share > 0):
            _check_labels(config, data)
        check_calibration_faces(self.faces.train, self.faces.valid, config.labels)
        teachers = [load_teacher(name, config) for name in config.teacher]
        digests = [teacher.digest for teacher in teachers]
        if not resume:
            some = sample_faces(self.faces.train, config.input_size, MEASURED_FACES)
            faces = torch.from_numpy(some)[:, None].float() / 255
            self.run = TrainingRun.begin(config, data.digest(), digests, faces)
            if config.teacher_embedding > 0:
                self._learn_embeddings([teacher.network for teacher in teachers])
        elif (self.run.data_digest, self.run.teacher_digests) != (data.digest(), digests):
            raise ModelError(
                f"{self.files.checkpoint}: began with other training data or teachers than "
                f"{', '.join(map(str, data_dirs))} and {list(config.teacher)} hold"
            )
        self.data = data.to(self.run.device)
        self.teachers = [teacher.network.to(self.run.device) for teacher in teachers]
        selection = [one.select(~calibration_half(one)) for one in self.faces.valid]
        self.scoring = scoring_data(selection, config).to(self.run.device)

    def _learn_embeddings(self, teachers: Sequence[nn.Module]) -> None:
        """Have the run learn the embeddings of teachers, by the axes of some changed faces."""
        config = self.run.config
        some = torch.from_numpy(sample_faces(self.faces.train, config.input_size, FACES_FOR_AXES))
        generator = torch.Generator().manual_seed(config.seed)
        draw = Draw(len(some), some.device, generator)
        whole = change(some[:, None].float() / 255, config, draw)
        faces = as_taught(whole, spoil(whole, config, draw), config, draw)
        width = embeddings_of(self.run.average, faces[:1].to(self.run.device)).shape[1]
        seen = [embeddings_of(teacher, faces) for teacher in teachers]
        self.run.learn_embeddings(EmbeddingMatch.begin(width, seen))

    @property
    def asks_beforehand(self) -> bool:
        """Whether the teachers answer once, to the faces as they are, before the first step."""
        is_clean = self.run.config.teacher_view == "clean"
        return is_clean and bool(self.teachers) and not self.run.is_finished

    def ask_teachers(self, on_batch: Callable[[int, int], None]) -> None:
        """Ask them; they are not needed after that.

        Raises:
            OSError: the folder of the model file can't be made or written to.
        """
        self.files.check_writable()
        answers = answers_to_all(self.teachers, self.data.images, on_batch)
        self.data, self.teachers = self.data._replace(answers=answers), []

    def fit(self, on_step: Callable[[Progress], None], stopped: Callable[[], bool]) -> None:
        """Train to the end of the schedule, or until `stopped`; a checkpoint is left either way.

        Raises:
            OSError: the folder of the model file can't be made or written to.
            MienError: the loss is no longer a number, or the memory is too small.
            KeyboardInterrupt: `stopped` before the first step; nothing is written then.
        """
        if stopped() and self.run.step == 0:
            raise KeyboardInterrupt
        self.files.check_writable()
        if self.asks_beforehand:
            self.ask_teachers(lambda *_: None)
        parts = (self.run, self.data, self.scoring, self.teachers)
        try:
            fit(*parts, on_step, self.save, stopped)
        except (RuntimeError, MemoryError) as error:
            if not _lacks_memory(error):
                raise
            size = self.run.config.batch_size
            raise MienError(f"batch_size is {size}: the memory is too small") from error
        self.save()

    def save(self) -> None:
        """Write the checkpoint, the table and the list of leaks."""
        self.run.save(self.files.checkpoint)
        write_table(self.files.table, self.run.history)
        write_leaks(self.files.leaks, self.faces.leaks)

    def finish(self) -> None:
        """Write the model file and the curves."""
        export(self.run, self.faces, self.files.model)
        draw_curves(self.files.curves, self.run.history)


def _lacks_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether it is of a lack of memory: PyTorch has an error of its own for GPUs alone."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _check_teaching(config: TrainingConfig, asked: dict[str, Any]) -> None:
    """Raise ConfigError if settings of the teaching come to nothing."""
    for name in ("teacher_share", "teacher_view", "teacher_whole_share", "teacher_embedding"):
        if name in asked and not config.teacher:
            raise ConfigError(f"{name} is {asked[name]!r}, but there is no teacher (--teacher)")
    if "teacher_whole_share" in asked and config.teacher_view != "whole":
        share, view = asked["teacher_whole_share"], config.teacher_view
        raise ConfigError(f"teacher_whole_share is {share!r}, but teacher_view is {view!r}")
    if config.teacher_embedding > 0 and config.teacher_view == "clean":
        raise ConfigError("teacher_embedding is of changed faces, but teacher_view is 'clean'")
    if config.teacher_embedding > 0 and config.mixing_share > 0:
        raise ConfigError("teacher_embedding is of whole faces, but mixing_share is not 0")


def _check_labels(config: TrainingConfig, data: TrainingData) -> None:
    """Raise ConfigError if there is nothing to learn a label from: it would be learnt as never."""
    for label, share in zip(config.labels, data.targets.sum(dim=0).tolist(), strict=True):
        if share == 0:
            raise ConfigError(
                f"no face to learn from shows {label}; name the labels to learn (--labels)"
            )


def export_checkpoint(
    checkpoint: Path, data_dirs: Sequence[Path], model_path: Path, kept_variance: float = 1.0
) -> None:
    """Make a model file again from a checkpoint.

    Args:
        checkpoint: what the training left beside its model file.
        data_dirs: the data sets it was trained on.
        model_path: the file to write.
        kept_variance: see `mien.training.low_rank.factorised`.

    Raises:
        ConfigError: the model path is no name in .onnx, or that of another training, or the share
            is out of range.
        ModelError: the checkpoint is missing, damaged, or began with other data.
        DataError: the data set is missing or damaged.
    """
    files = TrainingFiles(model_path)
    files.check_apart(checkpoint)
    files.check_writable()
    run = TrainingRun.load(checkpoint, {"device": "cpu"})
    faces = TrainingFaces.read(data_dirs)
    if training_data(faces.train, run.config).digest() != run.data_digest:
        raise ModelError(
            f"{checkpoint}: began with other training data than "
            f"{', '.join(map(str, data_dirs))} hold"
        )
    export(run, faces, files.model, kept_variance)
