"""Dense residual networks for small grey faces."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.training.config import TrainingConfig
from mien.training.networks.output import GREY_DEVIATION, GREY_MEAN, NetworkOutput


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016), skipped at random in training.

    Source of the skipping: stochastic depth, Huang et al. 2016, arXiv 1603.09382.
    """

    def __init__(self, width_in: int, width: int, stride: int, skip_share: float) -> None:
        super().__init__()
        self.skip_share = skip_share
        self.branch = nn.Sequential(
            nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, W_in, H, H) to (N, W, H / stride, H / stride)."""
        change = self.branch(x)
        if self.training and self.skip_share > 0:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.skip_share
            change = change * kept / (1 - self.skip_share)
        return F.relu(self.shortcut(x) + change)


class ResidualNetwork(nn.Module):
    """A dense residual network for small grey faces.

    The stem gathers 2 x 2 pixels into channels, so that the first stage works at half of the
    resolution and no pixel is lost; each further stage halves it again.
    """

    def __init__(
        self, widths: Sequence[int], depths: Sequence[int], config: TrainingConfig
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        width_in, last = widths[0], sum(depths) - 1
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for place in range(depth):
                stride = 2 if stage > 0 and place == 0 else 1
                skip_share = config.stochastic_depth * len(blocks) / last
                blocks.append(ResidualBlock(width_in, width, stride, skip_share))
                width_in = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width_in, len(config.labels))

    def forward(self, faces: Tensor) -> NetworkOutput:
        """Faces (N, 1, S, S) from 0 to 1 to logits (N, C) and embedding (N, D)."""
        x = (faces - GREY_MEAN) / GREY_DEVIATION
        embedding = self.blocks(self.stem(x)).mean(dim=(2, 3))
        return NetworkOutput(self.head(self.dropout(embedding)), embedding)
