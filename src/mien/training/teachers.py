"""Finished networks that others learn from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mien.classification import classify
from mien.errors import ConfigError
from mien.model_file import ModelFile, open_model
from mien.training.augment import to_grey
from mien.training.config import TrainingConfig
from mien.training.networks.output import NetworkOutput
from mien.training.run import TrainingRun
from mien.training.weights import file_digest, is_model, weights_digest

BATCH = 256


class Teacher(NamedTuple):
    """A network, and what it is: a run goes on only with the teachers it began with."""

    network: nn.Module
    digest: str


def load_teacher(name: str, config: TrainingConfig) -> Teacher:
    """The teacher of a checkpoint, a model file, or a packaged model.

    Raises:
        ModelError: the file is missing or damaged.
        ConfigError: it knows other labels or faces of another size than `config` asks for.
    """
    if is_model(name):
        model = open_model(name, threads=config.threads)
        known = model.metadata.labels, model.metadata.input_size
        teacher = Teacher(_ModelFileNetwork(model), file_digest(name))
    else:
        run = TrainingRun.load(Path(name), {"device": "cpu", "threads": config.threads})
        known = run.config.labels, run.config.input_size
        teacher = Teacher(run.average.eval(), weights_digest(run.average))
    labels, input_size = known
    if known != (config.labels, config.input_size):
        raise ConfigError(
            f"{name}: the teacher knows {', '.join(labels)} at {input_size} pixels, expected "
            f"{', '.join(config.labels)} at {config.input_size}"
        )
    return teacher


class Answer(NamedTuple):
    """The mean probabilities (N, K) of teachers, and their embeddings (N, E), side by side."""

    probability: Tensor
    embedding: Tensor


@torch.no_grad()
def ask(teachers: Sequence[nn.Module], faces: Tensor) -> Answer:
    """What teachers say of faces (N, 1, S, S) from 0 to 1.

    Source: Hinton et al. 2015, arXiv 1503.02531.
    """
    said = [teacher(faces) for teacher in teachers]
    probabilities = [logits.float().softmax(dim=1) for logits, _ in said]
    return Answer(
        torch.stack(probabilities).mean(dim=0),
        torch.cat([embedding.float() for _, embedding in said], dim=1),
    )


@torch.no_grad()
def embeddings_of(teacher: nn.Module, faces: Tensor) -> Tensor:
    """The embeddings (N, E) that a teacher has of faces (N, 1, S, S) from 0 to 1."""
    return torch.cat([teacher(part).embedding.float() for part in torch.split(faces, BATCH)])


def answers_to_all(
    teachers: Sequence[nn.Module], images: Tensor, on_batch: Callable[[int, int], None]
) -> Tensor:
    """The mean answer (N, K) to all images uint8 (N, C, S, S) as they are, and mirrored.

    Args:
        teachers: the networks.
        images: the faces.
        on_batch: called with the faces done and all faces.
    """
    answers = []
    for start in range(0, len(images), BATCH):
        faces = to_grey(images[start : start + BATCH].float() / 255)
        both = torch.stack([ask(teachers, view).probability for view in (faces, faces.flip(3))])
        answers.append(both.mean(dim=0))
        on_batch(min(start + BATCH, len(images)), len(images))
    return torch.cat(answers)


class _ModelFileNetwork(nn.Module):
    """A model file in the place of a network; ONNX Runtime computes it, on the CPU."""

    def __init__(self, model: ModelFile) -> None:
        super().__init__()
        self.session = model.session

    def forward(self, faces: Tensor) -> NetworkOutput:
        images = (255 * faces[:, 0]).round().byte().cpu().numpy()
        logits, embedding = classify(self.session, images)
        return NetworkOutput(
            torch.from_numpy(logits).to(faces.device), torch.from_numpy(embedding).to(faces.device)
        )
