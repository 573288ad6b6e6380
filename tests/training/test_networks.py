import pytest
import torch

from mien import ConfigError
from mien.training.config import TrainingConfig
from mien.training.networks import NETWORKS, build_network
from mien.training.networks.residual import ResidualBlock


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [48, 64])
def test_logits_are_a_linear_function_of_the_embedding(name: str, side: int) -> None:
    config = TrainingConfig(network=name, input_size=side)
    network = build_network(config).eval()
    logits, embedding = network(torch.rand(3, 1, side, side))
    assert logits.shape == (3, 8)
    torch.testing.assert_close(network.get_submodule("head")(embedding), logits)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        *(("residual_xs", 0.4), ("residual_s", 1.3), ("residual_m", 3.6)),
        *(("residual_n", 2.8), ("residual_l", 6.0), ("vgg13", 6.9)),
        *(("mobilefacenet", 1.0), ("mobilenet", 3.2), ("face_resnet", 5.6)),
    ],
)
def test_networks_have_the_size_they_say(name: str, millions: float) -> None:
    network = build_network(TrainingConfig(network=name))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


def test_skipped_blocks_pass_the_shortcut_on_and_others_make_up_for_them() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(4, 4, stride=1, skip_share=0.5)
    x = torch.rand(2000, 4, 2, 2)
    with torch.no_grad():
        change = block.branch(x)
        out = block(x)
    skipped = (out == x).flatten(1).all(dim=1)
    assert 0.45 < skipped.float().mean() < 0.55
    torch.testing.assert_close(out[~skipped], (x + 2 * change).relu()[~skipped])


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'resnet' is none of residual_xs"):
        build_network(TrainingConfig(network="resnet"))


def test_an_odd_input_is_refused() -> None:
    with pytest.raises(ConfigError, match="input_size is 49"):
        build_network(TrainingConfig(input_size=49))
