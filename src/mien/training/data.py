"""Face sets as tensors, with the targets that a configuration asks for."""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien import alignment
from mien.datasets.ferplus import FaceSet
from mien.datasets.votes import strict_majority, training_targets
from mien.errors import DataError
from mien.labels import emotion_columns
from mien.training.config import TrainingConfig


class TrainingData(NamedTuple):
    """Images uint8 (N, C, S, S) and targets float (N, K), one distribution a row.

    `answers` (N, K) are what teachers said to the images as they are, if they were asked.
    """

    images: Tensor
    targets: Tensor
    answers: Tensor | None = None

    def to(self, device: torch.device) -> "TrainingData":
        """The same on another device."""
        answers = None if self.answers is None else self.answers.to(device)
        return TrainingData(self.images.to(device), self.targets.to(device), answers)

    def digest(self) -> str:
        """SHA-256 of images and targets: a checkpoint goes on only with the data it began with."""
        images, targets = self.images.numpy(), self.targets.numpy()
        return hashlib.sha256(images.tobytes() + targets.tobytes()).hexdigest()


def training_data(faces: FaceSet, config: TrainingConfig) -> TrainingData:
    """The faces that the label mode keeps and whose leading emotion is one of the labels.

    Raises:
        DataError: fewer than two faces are left.
    """
    targets, keep = training_targets(faces.votes, config.label_mode)
    columns = emotion_columns(config.labels)
    keep &= np.isin(targets.argmax(axis=1), columns)
    kept = targets[keep][:, columns]
    if len(kept) < 2:
        raise DataError(f"{len(kept)} of {len(faces)} faces have a label; training takes two")
    kept = kept / kept.sum(axis=1, keepdims=True)
    return TrainingData(
        image_tensor(faces.images[keep], config.input_size), torch.from_numpy(kept).float()
    )


def scoring_data(faces: FaceSet, config: TrainingConfig) -> TrainingData:
    """The faces that count by the strict-majority protocol, with one-hot targets.

    Raises:
        DataError: none counts.
    """
    labels, keep = strict_majority(faces.votes)
    columns = emotion_columns(config.labels)
    keep &= np.isin(labels, columns)
    if not keep.any():
        raise DataError(f"none of {len(faces)} faces has a majority for a known label")
    one_hot = np.equal.outer(labels[keep], columns)
    return TrainingData(
        image_tensor(faces.images[keep], config.input_size), torch.from_numpy(one_hot).float()
    )


def image_tensor(images: NDArray[np.uint8], side: int) -> Tensor:
    """uint8 (N, C, side, side) from uint8 (N, H, W) or (N, H, W, 3), cut as at run time."""
    cuts = np.stack([alignment.whole(image, side) for image in images])
    stacked = torch.from_numpy(cuts if cuts.ndim == 4 else cuts[..., None])
    return stacked.permute(0, 3, 1, 2).contiguous()
