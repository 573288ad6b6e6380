"""The networks that can be trained.

A network takes grey faces, float (N, 1, S, S) from 0 to 1, and returns logits (N, C) and the
embedding (N, D) that they are a linear function of. To add one, write a function that builds
it and name it in `NETWORKS`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.errors import ConfigError
from mien.training.config import TrainingConfig

GREY_MEAN, GREY_DEVIATION = 0.5, 0.25


class NetworkOutput(NamedTuple):
    """Logits (N, C) and embedding (N, D)."""

    logits: Tensor
    embedding: Tensor


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


class VGG13(nn.Module):
    """The network of the FER+ paper (Barsoum et al. 2016), made for inputs of 64 pixels.

    It has no batch normalisation: train it with a learning rate of about 0.02.
    """

    STAGES = ((64, 2), (128, 2), (256, 3), (256, 3))
    HIDDEN = 1024

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width_in = 1
        for width, depth in self.STAGES:
            for _ in range(depth):
                layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.ReLU()]
                width_in = width
            layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        self.features = nn.Sequential(*layers, nn.Flatten())
        side = config.input_size // 2 ** len(self.STAGES)
        self.hidden = nn.Sequential(
            nn.Linear(width_in * side * side, self.HIDDEN),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(self.HIDDEN, self.HIDDEN),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.HIDDEN, len(config.labels))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, faces: Tensor) -> NetworkOutput:
        """Faces (N, 1, S, S) from 0 to 1 to logits (N, C) and embedding (N, D)."""
        embedding = self.hidden(self.features((faces - GREY_MEAN) / GREY_DEVIATION))
        return NetworkOutput(self.head(self.dropout(embedding)), embedding)


def _residual(*widths: int) -> Callable[[TrainingConfig], nn.Module]:
    return lambda config: ResidualNetwork(widths, (1, 2, 2, 1), config)


#: Every network by its name.
NETWORKS: dict[str, Callable[[TrainingConfig], nn.Module]] = {
    "residual_xs": _residual(16, 32, 64, 112),  # 0.3 million parameters
    "residual_s": _residual(32, 64, 112, 224),  # 1.3 million
    "residual_m": _residual(48, 96, 192, 384),  # 3.6 million
    "residual_l": _residual(64, 128, 256, 480),  # 6.0 million
    "vgg13": VGG13,  # 8.8 million at 48 pixels
}


def build_network(config: TrainingConfig) -> nn.Module:
    """The network that `config` names, with random weights.

    Raises:
        ConfigError: there is no network of that name, or the input's side does not suit it.
    """
    if config.network not in NETWORKS:
        raise ConfigError(f"network {config.network!r} is none of {', '.join(NETWORKS)}")
    if config.input_size % 2:
        raise ConfigError(f"input_size is {config.input_size}, expected an even number of pixels")
    return NETWORKS[config.network](config)
