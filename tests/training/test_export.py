from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mien.classification import classify
from mien.sessions import create_session
from mien.training.config import TrainingConfig
from mien.training.export import DeployedNetwork, in_half, onnx_network
from mien.training.networks import NETWORKS, build_network


def as_if_trained(network: nn.Module) -> nn.Module:
    """Normalisation far from its beginning, as training leaves it."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.2, 2)
            nn.init.normal_(module.bias, std=0.3)
            module.running_mean = torch.randn(module.num_features) * 0.3
            module.running_var = torch.rand(module.num_features) * 2 + 0.05
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [48, 64])
def test_torch_and_onnx_give_the_same_numbers(name: str, side: int) -> None:
    torch.manual_seed(0)
    network = as_if_trained(build_network(TrainingConfig(network=name, input_size=side)))
    deployed = DeployedNetwork(network)
    content = in_half(onnx_network(deployed, side))
    faces = np.random.default_rng(0).integers(0, 256, (5, side, side), dtype=np.uint8)
    for batch in (faces, faces[:1]):
        logits, embedding = (values.numpy() for values in deployed(torch.from_numpy(batch)))
        outputs = classify(create_session(content), batch)
        np.testing.assert_allclose(outputs.logits, logits, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(outputs.embedding, embedding, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_and_rounding_change_little(name: str) -> None:
    torch.manual_seed(0)
    network = as_if_trained(build_network(TrainingConfig(network=name)))
    faces = torch.randint(0, 256, (8, 48, 48), dtype=torch.uint8)
    exact = network(faces.unsqueeze(1).float() / 255).logits
    deployed, _ = DeployedNetwork(network)(faces)
    assert (exact - deployed).abs().max() < 0.01 * exact.abs().max()


def test_no_faces_give_no_rows() -> None:
    network = DeployedNetwork(build_network(TrainingConfig(network="residual_xs")))
    content = in_half(onnx_network(network, 48))
    outputs = classify(create_session(content), np.empty((0, 48, 48), dtype=np.uint8))
    assert outputs.logits.shape == (0, 8)


def test_the_file_is_small(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(in_half(onnx_network(DeployedNetwork(build_network(TrainingConfig())), 48)))
    assert path.stat().st_size < 7.5e6
