"""Face sets as tensors, with the targets that a configuration asks for."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien import alignment
from mien.datasets.faces import FaceSet
from mien.datasets.votes import RULES, known_targets, majority_places
from mien.errors import ConfigError, DataError
from mien.training.config import TrainingConfig

NONE_TO_SCORE_BY = (
    "no validation face of the half that models are scored by has a majority for a label; "
    "there are too few of them"
)


class SetShare(NamedTuple):
    """How many faces of the training data one set has, and how often each is drawn an epoch."""

    faces: int
    weight: float = 1.0

    @property
    def faces_per_epoch(self) -> int:
        """How many of them, with repetitions, an epoch takes."""
        return round(self.faces * self.weight)


class TrainingData(NamedTuple):
    """Images uint8 (N, C, S, S) and targets float (N, K), one distribution per row.

    `answers` (N, K) are what teachers said to the images as they are, if they were asked. `known`
    bool (N, K) says which classes a face's data set tells apart, None where all sets tell all.
    `sets` says how many of the faces are of which set; none: all are of one.
    """

    images: Tensor
    targets: Tensor
    answers: Tensor | None = None
    known: Tensor | None = None
    sets: tuple[SetShare, ...] = ()

    def to(self, device: torch.device) -> "TrainingData":
        """The same on another device."""
        answers, known = (
            None if part is None else part.to(device) for part in (self.answers, self.known)
        )
        return TrainingData(
            self.images.to(device), self.targets.to(device), answers, known, self.sets
        )

    def digest(self) -> str:
        """SHA-256 of images, targets and known classes: a checkpoint goes on only with its data."""
        digest = hashlib.sha256()
        for part in (self.images, self.targets, self.known):
            if part is not None:
                digest.update(part.numpy().tobytes())
        return digest.hexdigest()

    def epoch_order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The faces of one epoch: every one as often as the weight of its set says, shuffled.

        Of a set of weight 2.5, every face comes twice, and a half of them, drawn anew for every
        epoch, once more.
        """
        generator = np.random.default_rng([seed, epoch])
        rows, start = [], 0
        for share in self.shares:
            whole, rest = divmod(share.faces_per_epoch, share.faces)
            rows.append(start + np.tile(np.arange(share.faces), whole))
            if rest:
                rows.append(start + generator.choice(share.faces, rest, replace=False))
            start += share.faces
        order = np.concatenate(rows)
        return order[generator.permutation(len(order))]

    @property
    def shares(self) -> tuple[SetShare, ...]:
        """The data sets that the faces are of."""
        return self.sets or (SetShare(len(self.images)),)

    @property
    def faces_per_epoch(self) -> int:
        """How many faces, with repetitions, an epoch takes."""
        return sum(share.faces_per_epoch for share in self.shares)

    def frequencies(self) -> Tensor:
        """How frequent each class (K,) is among the faces drawn that could be of it.

        None counts as rarer than one face of them all: what is absent has a logarithm too.
        """
        weights = torch.cat([torch.full((faces, 1), weight) for faces, weight in self.shares])
        weights = weights.to(self.targets)
        known = torch.ones_like(self.targets) if self.known is None else self.known
        frequencies = (weights * self.targets).sum(dim=0) / (weights * known).sum(dim=0)
        return frequencies.clamp(min=1 / len(self.targets))


def training_data(sets: Sequence[FaceSet], config: TrainingConfig) -> TrainingData:
    """The faces that the label mode keeps and whose leading class is one of the labels.

    Raises:
        DataError: fewer than two faces of a set are left, or it tells fewer than two of the
            labels apart.
        ConfigError: there are weights, but not one for each set, or no set has one of the labels.
    """
    there = dict.fromkeys(label for faces in sets for label in faces.labels)
    missing = set(config.labels) - set(there)
    if missing:
        raise ConfigError(
            f"no data set has {', '.join(sorted(missing))}, only {', '.join(there)}; name the "
            "labels to learn (--labels)"
        )
    weights = config.data_weight or (1.0,) * len(sets)
    if len(weights) != len(sets):
        raise ConfigError(
            f"data_weight is {list(weights)}, expected one weight for each of {len(sets)} data sets"
        )
    parts = [_labelled(place, faces, config) for place, faces in enumerate(sets, start=1)]
    shares = [
        SetShare(len(images), weight) for (images, _), weight in zip(parts, weights, strict=True)
    ]
    data = _joined(parts, sets, shares, config)
    if data.faces_per_epoch < 2:
        raise DataError(f"{data.faces_per_epoch} faces an epoch by weight; training takes two")
    return data


def scoring_data(sets: Sequence[FaceSet], config: TrainingConfig) -> TrainingData:
    """The faces that count by the strict-majority protocol, with one-hot targets.

    Raises:
        DataError: none counts.
    """
    parts = [_majority(faces, config) for faces in sets]
    if not any(len(targets) for _, targets in parts):
        raise DataError(NONE_TO_SCORE_BY)
    return _joined(parts, sets, [SetShare(len(images)) for images, _ in parts], config)


def _labelled(
    place: int, faces: FaceSet, config: TrainingConfig
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Images and targets (N, K) to learn from."""
    targets, keep = known_targets(
        *RULES[config.label_mode](faces.votes), faces.labels, config.labels
    )
    if keep.sum() < 2:
        raise DataError(
            f"data set {place}: {keep.sum()} of {len(faces)} faces to learn from have one of the "
            "labels; training takes two"
        )
    if len(set(config.labels) & set(faces.labels)) < 2:
        raise DataError(
            f"data set {place} has {', '.join(faces.labels)}, expected at least two of "
            f"{', '.join(config.labels)}"
        )
    return faces.images[keep], targets[keep]


def _majority(
    faces: FaceSet, config: TrainingConfig
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Images and one-hot targets (N, K) to score by."""
    places = majority_places(faces.votes, faces.labels, config.labels)
    keep = places >= 0
    return faces.images[keep], np.eye(len(config.labels))[places[keep]]


def _joined(
    parts: Sequence[tuple[NDArray[np.uint8], NDArray[np.float64]]],
    sets: Sequence[FaceSet],
    shares: Sequence[SetShare],
    config: TrainingConfig,
) -> TrainingData:
    """One after the other; in colour where one of the sets is."""
    images = [image_tensor(part, config.input_size) for part, _ in parts]
    channels = max(one.shape[1] for one in images)
    known = np.array([[label in faces.labels for label in config.labels] for faces in sets])
    counts = [share.faces for share in shares]
    return TrainingData(
        torch.cat([one.expand(-1, channels, -1, -1) for one in images]),
        torch.cat([torch.from_numpy(targets).float() for _, targets in parts]),
        known=None if known.all() else torch.from_numpy(known.repeat(counts, axis=0)),
        sets=tuple(shares),
    )


def image_tensor(images: NDArray[np.uint8], side: int) -> Tensor:
    """uint8 (N, C, side, side) from uint8 (N, H, W) or (N, H, W, 3), cut as at run time."""
    cuts = np.array([alignment.whole(image, side) for image in images], dtype=np.uint8)
    cuts = cuts.reshape(len(images), side, side, -1 if len(images) else 1)
    stacked = torch.from_numpy(cuts)
    return stacked.permute(0, 3, 1, 2).contiguous()
