"""The networks that can be trained.

A network takes grey faces, float (N, 1, S, S) from 0 to 1, and returns logits (N, C) and the
embedding (N, D) that they are a linear function of. To add one, write a function that builds
it and name it in `NETWORKS`.
"""

from collections.abc import Callable

from torch import nn

from mien.errors import ConfigError
from mien.training.config import TrainingConfig
from mien.training.networks.face_resnet import FaceResNet
from mien.training.networks.mobilefacenet import MobileFaceNet
from mien.training.networks.mobilenet import MobileNet
from mien.training.networks.residual import ResidualNetwork
from mien.training.networks.vgg import VGG13


def _residual(*widths: int) -> Callable[[TrainingConfig], nn.Module]:
    return lambda config: ResidualNetwork(widths, (1, 2, 2, 1), config)


#: Every network by its name.
NETWORKS: dict[str, Callable[[TrainingConfig], nn.Module]] = {
    "residual_xs": _residual(16, 32, 64, 112),  # 0.4 million parameters
    "residual_s": _residual(32, 64, 112, 224),  # 1.3 million
    "residual_m": _residual(48, 96, 192, 384),  # 3.6 million
    "residual_l": _residual(64, 128, 256, 480),  # 6.0 million
    "residual_n": _residual(48, 96, 192, 288),  # 2.8 million
    "vgg13": VGG13,  # 6.9 million at 48 pixels, 8.8 million at 64
    "face_resnet": FaceResNet,  # 5.6 million
    "mobilefacenet": MobileFaceNet,  # 1.0 million
    "mobilenet": MobileNet,  # 3.2 million
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
