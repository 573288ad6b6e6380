"""The training loop.

Every random number follows from the seed and the step, so that a run that was interrupted
goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.errors import MienError
from mien.training.augment import Draw, as_taught, change, mix, spoil, to_grey
from mien.training.config import TrainingConfig
from mien.training.data import TrainingData
from mien.training.devices import uses_bfloat16
from mien.training.run import TrainingRun
from mien.training.teachers import ask

#: The logit of a class that a face's data set does not have: its probability, and its gradient,
#: are zero.
UNKNOWN_LOGIT = -1e4


class Progress(NamedTuple):
    """Where a run stands after a step."""

    step: int
    total_steps: int
    epoch: int
    loss: float
    images: int


def fit(
    run: TrainingRun,
    data: TrainingData,
    scoring: TrainingData,
    teachers: Sequence[nn.Module],
    on_step: Callable[[Progress], None],
    on_epoch: Callable[[], None],
    stopped: Callable[[], bool],
) -> None:
    """Train until the schedule's end, or until `stopped` says so after a step.

    Args:
        run: where to begin; it is changed in place.
        data: the training images and targets, on the run's device.
        scoring: faces with one-hot targets, scored after every epoch; nothing is chosen by them.
        teachers: networks whose mean answer to the changed faces is part of the targets; empty
            where the data hold answers.
        on_step: called after every step.
        on_epoch: called after every epoch, when `run.history` has its row.
        stopped: asked after every step.

    Raises:
        MienError: the loss is no longer a number.
    """
    config = run.config
    batch_size, steps_per_epoch = batches(data.faces_per_epoch, config.batch_size)
    total_steps = config.epochs * steps_per_epoch
    order = np.empty(0, dtype=np.int64)
    while run.step < total_steps and not stopped():
        began = time.perf_counter()
        epoch, place = divmod(run.step, steps_per_epoch)
        if place == 0 or len(order) == 0:
            order = data.epoch_order(config.seed, epoch)
        rate = run.set_learning_rate(total_steps)
        rows = torch.from_numpy(order[place * batch_size : (place + 1) * batch_size])
        loss = train_step(run, data, rows.to(data.images.device), teachers)
        run.step += 1
        _check_finite(run, loss)
        run.epoch_loss += loss
        run.epoch_seconds += time.perf_counter() - began
        on_step(Progress(run.step, total_steps, epoch, loss, batch_size))
        if run.step % steps_per_epoch == 0:
            _finish_epoch(run, scoring, epoch, rate, steps_per_epoch)
            on_epoch()


def _check_finite(run: TrainingRun, loss: float) -> None:
    if math.isfinite(loss):
        return
    name = "another name and " if run.history else ""  # a checkpoint has taken this one
    raise MienError(
        f"the loss is {loss} at step {run.step}: begin anew with {name}a lower "
        f"learning_rate than {run.config.learning_rate}"
    )


def batches(faces: int, batch_size: int) -> tuple[int, int]:
    """The images of a step and the steps of an epoch.

    What is left over of one epoch is drawn for another. Where that were more than a twentieth, one
    step more with smaller batches is taken, if less is left over then.
    """
    batch_size = min(batch_size, faces)
    steps = faces // batch_size
    smaller = faces // (steps + 1)
    if 20 * (faces % batch_size) <= faces or smaller < 2:
        return batch_size, steps
    return max((batch_size, steps), (smaller, steps + 1), key=lambda one: one[0] * one[1])


def train_step(
    run: TrainingRun, data: TrainingData, rows: Tensor, teachers: Sequence[nn.Module] = ()
) -> float:
    """One step on the images of `rows`; returns its loss."""
    config = run.config
    first, second = np.random.SeedSequence([config.seed, run.step]).generate_state(2, np.uint64)
    generator = torch.Generator().manual_seed(int(first))
    draw = Draw(len(rows), data.images.device, generator)
    whole = change(data.images[rows].float() / 255, config, draw)
    faces = spoil(whole, config, draw)
    known = None if data.known is None else data.known[rows]
    targets = step_targets(data.targets[rows], config, generator, known)

    faces = faces.contiguous(memory_format=torch.channels_last)
    run.set_to_train()
    precision = torch.autocast(
        faces.device.type, torch.bfloat16, enabled=uses_bfloat16(config.precision, faces.device)
    )
    with precision:
        told = ask(teachers, as_taught(whole, faces, config, draw)) if teachers else None
    answers = told.probability if told else None
    if data.answers is not None:
        answers = data.answers[rows]
    if answers is not None:
        targets = targets.lerp(within(answers, known), config.teacher_share)
    faces, targets = mix(faces, targets, known, config, generator)

    def backward() -> float:
        torch.manual_seed(int(second))  # what is dropped is the same each time
        with precision:
            logits, embedding = run.network(faces)
        logits = tilted(logits.float(), data, config)
        if known is not None:
            logits = logits.masked_fill(~known, UNKNOWN_LOGIT)
        loss = target_loss(logits, targets, config)
        with_match = loss
        if run.match is not None and told is not None:
            far = run.match(embedding.float(), told.embedding)
            with_match = loss + config.teacher_embedding * far
        run.optimizer.zero_grad()
        with_match.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    loss = backward()
    if config.sharpness_radius > 0:
        with uphill(run.network, config.sharpness_radius):
            backward()
    run.optimizer.step()
    run.update_average()
    return loss


@contextmanager
def uphill(network: nn.Module, radius: float) -> Iterator[None]:
    """Inside, the weights stand where the loss is about worst within a radius, by their gradient.

    Normalisation notes nothing there: the network never stays.
    Source: sharpness-aware minimization, Foret et al. 2021, arXiv 2010.01412.
    """
    weights = [weight for weight in network.parameters() if weight.grad is not None]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    before = [weight.detach().clone() for weight in weights]
    length = torch.stack([gradient.norm() for gradient in gradients]).norm()
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.add_(gradient * (radius / (length + 1e-12)))
    with _kept_statistics(network):
        yield
    with torch.no_grad():
        for weight, value in zip(weights, before, strict=True):
            weight.copy_(value)


@contextmanager
def _kept_statistics(network: nn.Module) -> Iterator[None]:
    """Inside, normalisation does not note what it sees."""
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    yield
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def step_targets(
    targets: Tensor,
    config: TrainingConfig,
    generator: torch.Generator,
    known: Tensor | None = None,
) -> Tensor:
    """The targets (N, K) of one step: in mode "probability" one class is drawn an image.

    Label smoothing spreads its share over the classes that are `known` (N, K).
    """
    if config.label_mode == "probability":
        drawn = torch.multinomial(targets.cpu(), 1, generator=generator).squeeze(1)
        targets = F.one_hot(drawn, targets.shape[1]).to(targets)
    even = within(torch.full_like(targets, 1 / targets.shape[1]), known)
    return targets + config.label_smoothing * (even - targets)


def within(probability: Tensor, known: Tensor | None) -> Tensor:
    """Probabilities (N, K) over the classes alone that are `known` (N, K); None: all are."""
    if known is None:
        return probability
    restricted = probability * known
    return restricted / restricted.sum(dim=1, keepdim=True).clamp(min=1e-12)


def tilted(logits: Tensor, data: TrainingData, config: TrainingConfig) -> Tensor:
    """Logits with a power of the classes' frequencies put on, so that the network learns without.

    Source: logit adjustment, Menon et al. 2021, arXiv 2007.07314.
    """
    if config.balance == 0:
        return logits
    return logits + config.balance * data.frequencies().log()


def target_loss(logits: Tensor, targets: Tensor, config: TrainingConfig) -> Tensor:
    """Cross-entropy; in mode "multi_target" only the most probable of the targets counts."""
    if config.label_mode == "multi_target":
        return -(targets.log() + logits.log_softmax(dim=1)).amax(dim=1).mean()
    return F.cross_entropy(logits, targets)


@torch.no_grad()
def score(network: nn.Module, scoring: TrainingData, batch_size: int) -> tuple[float, float]:
    """Mean negative log-likelihood and accuracy of the deployed form of a network."""
    network.eval()
    logits = torch.cat(
        [
            network(to_grey(images.float() / 255)).logits
            for images in torch.split(scoring.images, batch_size)
        ]
    )
    loss = F.cross_entropy(logits, scoring.targets).item()
    right = logits.argmax(dim=1) == scoring.targets.argmax(dim=1)
    return loss, right.float().mean().item()


def _finish_epoch(
    run: TrainingRun, scoring: TrainingData, epoch: int, rate: float, steps: int
) -> None:
    loss, accuracy = score(run.average, scoring, run.config.batch_size)
    _check_finite(run, loss)
    run.history.append(
        {
            "epoch": epoch + 1,
            "learning_rate": rate,
            "train_loss": run.epoch_loss / steps,
            "valid_loss": loss,
            "valid_accuracy": accuracy,
            "seconds": run.epoch_seconds,
        }
    )
    run.epoch_loss = run.epoch_seconds = 0.0
