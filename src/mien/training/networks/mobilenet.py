"""A network of light convolutions that can begin as one that knows faces, for a teacher.

Source: MobileNet, Howard et al. 2017, arXiv 1704.04861. Its padding and the means of its input are
those of the face network that HSE_FaceRec_tf publishes (Savchenko 2019, doi
10.7717/peerj-cs.197).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from mien.training.config import TrainingConfig
from mien.training.networks.output import NetworkOutput

#: Width and stride of the pairs of a depthwise and a pointwise convolution.
PAIRS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
#: Side of the picture that it sees, of the 224 pixels that it was trained with: twice as fast, and
#: as good for faces of 48 pixels.
SIDE = 160
#: Its means of the three colours, out of 255; grey stands in for each of them.
MEANS = (103.939, 116.779, 123.68)


class MobileNet(nn.Module):
    """MobileNet with a classifier on its pooled features."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        width_in = 32
        layers = [_convolution(3, width_in, kernel=3, stride=2)]
        for width, stride in PAIRS:
            layers.append(_convolution(width_in, width_in, 3, stride, groups=width_in))
            layers.append(_convolution(width_in, width, kernel=1))
            width_in = width
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width_in, len(config.labels))

    def forward(self, faces: Tensor) -> NetworkOutput:
        """Faces (N, 1, S, S) from 0 to 1 to logits (N, C) and embedding (N, D)."""
        x = F.interpolate(faces, size=(SIDE, SIDE), mode="bilinear") * 255
        x = x - x.new_tensor(MEANS).view(1, 3, 1, 1)
        embedding = self.layers(x).mean(dim=(2, 3))
        return NetworkOutput(self.head(self.dropout(embedding)), embedding)


def _convolution(
    width_in: int, width: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    # Where it halves an even side, it fills up on the right and below alone.
    padding = nn.ZeroPad2d((0, 1, 0, 1)) if stride > 1 else nn.Identity()
    return nn.Sequential(
        padding,
        nn.Conv2d(
            width_in,
            width,
            kernel,
            stride,
            0 if stride > 1 else kernel // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(width, eps=1e-3),
        nn.ReLU6(),
    )
