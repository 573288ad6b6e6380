"""A face recognition network, to begin a teacher from.

Source: Chen et al. 2018, arXiv 1804.07573. Its layers are named as in the weights that
foamliu/MobileFaceNet publishes (Apache-2.0), so that `initial_weights` can take them.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from mien.training.config import TrainingConfig
from mien.training.networks.output import NetworkOutput

#: Expansion, width, repeats and first stride of the inverted residuals.
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
SIDE = 112
EMBEDDING = 128
#: Where the canonical frame lies in the 112 x 112 pixels that face recognition networks are
#: trained on: the similarity that takes its eyes and mouth to their places there.
FRAME_SIDE, FRAME_LEFT, FRAME_TOP = 104, 4, 12
#: Mean and deviation of the grey values that stand in for the three colours of ImageNet.
RGB_MEAN, RGB_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class MobileFaceNet(nn.Module):
    """MobileFaceNet with a classifier on its normalised embedding."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.conv1 = _convolution(3, 64, kernel=3, stride=2)
        self.dw_conv = _SeparableConvolution(64)
        blocks: list[nn.Module] = []
        width_in = 64
        for expansion, width, repeats, stride in STAGES:
            for place in range(repeats):
                first = stride if place == 0 else 1
                blocks.append(_InvertedResidual(width_in, width, first, expansion))
                width_in = width
        self.features = nn.Sequential(*blocks)
        self.conv2 = _convolution(width_in, 512, kernel=1)
        self.gdconv = _GlobalConvolution(512)
        self.conv3 = nn.Conv2d(512, EMBEDDING, 1)
        self.bn = nn.BatchNorm2d(EMBEDDING)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(EMBEDDING, len(config.labels))

    def forward(self, faces: Tensor) -> NetworkOutput:
        """Faces (N, 1, S, S) from 0 to 1 to logits (N, C) and embedding (N, D)."""
        x = self.dw_conv(self.conv1(_as_recognition_input(faces)))
        x = self.gdconv(self.conv2(self.features(x)))
        embedding = self.bn(self.conv3(x)).flatten(1)
        return NetworkOutput(self.head(self.dropout(embedding)), embedding)


class _InvertedResidual(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = width_in * expansion
        self.conv = nn.Sequential(
            _convolution(width_in, hidden, kernel=1),
            _convolution(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.adds = stride == 1 and width_in == width

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.conv(x)
        return x + change if self.adds else change


class _SeparableConvolution(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.pointwise(F.relu(self.bn1(self.depthwise(x))))))


class _GlobalConvolution(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, SIDE // 16, groups=width, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn(self.depthwise(x))
        return out


def _as_recognition_input(faces: Tensor) -> Tensor:
    """Grey faces (N, 1, S, S) as (N, 3, 112, 112), in the frame of face recognition."""
    x = F.interpolate(faces, size=(FRAME_SIDE, FRAME_SIDE), mode="bilinear")
    x = x[:, :, : SIDE - FRAME_TOP]  # the frame reaches beyond
    right = SIDE - FRAME_LEFT - FRAME_SIDE
    x = F.pad(x, (FRAME_LEFT, right, FRAME_TOP, 0), mode="replicate")
    mean, deviation = (x.new_tensor(of).view(1, 3, 1, 1) for of in (RGB_MEAN, RGB_DEVIATION))
    return (x - mean) / deviation


def _convolution(
    width_in: int, width: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
    )
