"""Learning what teachers see in a face, beside what they say of it."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: So many axes of each teacher's embedding are learnt.
AXES = 24
#: Axes with less of the longest one's deviation are noise.
LEAST_DEVIATION = 1e-3


class EmbeddingMatch(nn.Module):
    """A linear map from a network's embedding (N, D) to what its teachers see in a face.

    That is each teacher's embedding along its main axes, each scaled to a variance of one: nearly
    all of the variance lies along a few, and these say hardly more than the answer does.
    Source: hints, Romero et al. 2015, arXiv 1412.6550.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, width: int, mean: Tensor, axes: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes)
        self.map = nn.Linear(width, axes.shape[1])

    @classmethod
    def begin(cls, width: int, seen: Sequence[Tensor]) -> "EmbeddingMatch":
        """For a network of embeddings (N, width), and those (M, E) that its teachers have."""
        mean = torch.cat([embedding.mean(dim=0) for embedding in seen])
        axes = torch.block_diag(*map(_main_axes, seen))  # type: ignore[no-untyped-call]
        return cls(width, mean, axes)

    @classmethod
    def of_state(cls, state: Mapping[str, Tensor]) -> "EmbeddingMatch":
        """As its `state_dict` says."""
        match = cls(state["map.weight"].shape[1], state["mean"], state["axes"])
        match.load_state_dict(state)
        return match

    def forward(self, embedding: Tensor, seen: Tensor) -> Tensor:
        """The mean squared distance from teachers' embeddings (N, E), one after another."""
        return F.mse_loss(self.map(embedding), (seen - self.mean) @ self.axes)


def _main_axes(embedding: Tensor) -> Tensor:
    """The main axes (E, A) of embeddings (M, E), along which they have a variance of one."""
    _, lengths, axes = torch.linalg.svd(embedding - embedding.mean(dim=0), full_matrices=False)
    kept = (lengths > LEAST_DEVIATION * lengths[0]) & (torch.arange(len(lengths)) < AXES)
    scaled: Tensor = axes[kept].T * (len(embedding) ** 0.5 / lengths[kept])
    return scaled
