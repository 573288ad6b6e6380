"""The network of the FER+ paper."""

from torch import Tensor, nn

from mien.training.config import TrainingConfig
from mien.training.networks.output import GREY_DEVIATION, GREY_MEAN, NetworkOutput


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
