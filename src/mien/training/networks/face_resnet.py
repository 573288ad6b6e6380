"""A dense face recognition network, to begin a teacher from.

Source: He et al. 2016 (residual networks), as Davis King built and trained it for dlib
(`dlib_face_recognition_resnet_model_v1`, CC0): 29 convolutions, half of the usual widths.
"""

import torch.nn.functional as F
from torch import Tensor, fx, nn

from mien.training.config import TrainingConfig
from mien.training.networks.output import NetworkOutput

#: Width and first stride of the blocks.
BLOCKS = (
    *((32, 1),) * 3,
    *((64, 2), (64, 1), (64, 1), (64, 1)),
    *((128, 2), (128, 1), (128, 1)),
    *((256, 2), (256, 1), (256, 1), (256, 2)),
)
#: Side of the picture that it sees, of the 150 pixels that it was trained with: faster, and
#: enough for faces of 48 pixels.
SIDE = 112
#: The eyes lie by so much of the side higher in the frame it was trained with.
RISE = 0.067
#: Its mean of the three colours, and its scale; grey stands in for each of them.
MEANS, SCALE = (122.782, 117.001, 104.298), 256.0


class FaceResNet(nn.Module):
    """The network with a classifier on its pooled features."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 7, stride=2, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        widths = [32, *(width for width, _ in BLOCKS)]
        self.blocks = nn.Sequential(
            *(
                _Block(width_in, width, stride)
                for width_in, (width, stride) in zip(widths, BLOCKS, strict=False)
            )
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(widths[-1], len(config.labels))

    def forward(self, faces: Tensor) -> NetworkOutput:
        """Faces (N, 1, S, S) from 0 to 1 to logits (N, C) and embedding (N, D)."""
        x = F.max_pool2d(self.stem(_as_recognition_input(faces)), 3, stride=2)
        embedding = self.blocks(x).mean(dim=(2, 3))
        return NetworkOutput(self.head(self.dropout(embedding)), embedding)


class _Block(nn.Module):
    """Two convolutions beside a shortcut without weights; what is missing is filled with zeros."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.branch = nn.Sequential(
            nn.Conv2d(width_in, width, 3, stride, padding=1 if stride == 1 else 0, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.branch(x)
        shortcut = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        return F.relu(_padded_sum(change, shortcut))


@fx.wrap
def _padded_sum(one: Tensor, other: Tensor) -> Tensor:
    """The sum of two (N, W, H, H); zeros stand for what the smaller lacks in any dimension."""
    channels, height, width = map(max, one.shape[1:], other.shape[1:])
    one, other = (
        F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1]))
        for x in (one, other)
    )
    return one + other


def _as_recognition_input(faces: Tensor) -> Tensor:
    """Grey faces (N, 1, S, S) as (N, 3, 112, 112), in the frame of face recognition."""
    x = F.interpolate(faces, size=(SIDE, SIDE), mode="bilinear")
    rise = round(RISE * SIDE)
    x = F.pad(x[:, :, rise:], (0, 0, 0, rise), mode="replicate")
    return (255 * x - x.new_tensor(MEANS).view(1, 3, 1, 1)) / SCALE
