from pathlib import Path

import numpy as np
import pytest
import torch

from mien.classification import classify
from mien.sessions import create_session
from mien.training.config import TrainingConfig
from mien.training.export import DeployedNetwork, onnx_bytes
from mien.training.networks import NETWORKS, build_network


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [48, 64])
def test_torch_and_onnx_give_the_same_numbers(name: str, side: int) -> None:
    torch.manual_seed(0)
    network = build_network(TrainingConfig(network=name, input_size=side)).train()
    with torch.no_grad():  # statistics and weights as after some training
        for _ in range(2):
            network(torch.rand(16, 1, side, side))
    deployed = DeployedNetwork(network)
    content = onnx_bytes(deployed, side)
    faces = np.random.default_rng(0).integers(0, 256, (5, side, side), dtype=np.uint8)
    for batch in (faces, faces[:1]):
        logits, embedding = (values.numpy() for values in deployed(torch.from_numpy(batch)))
        outputs = classify(create_session(content), batch)
        np.testing.assert_allclose(outputs.logits, logits, atol=1e-4)
        np.testing.assert_allclose(outputs.embedding, embedding, atol=1e-4)


def test_no_faces_give_no_rows() -> None:
    content = onnx_bytes(DeployedNetwork(build_network(TrainingConfig(network="residual_xs"))), 48)
    outputs = classify(create_session(content), np.empty((0, 48, 48), dtype=np.uint8))
    assert outputs.logits.shape == (0, 8)


def test_rounding_to_half_precision_changes_little() -> None:
    torch.manual_seed(0)
    network = build_network(TrainingConfig(network="residual_m")).eval()
    faces = torch.randint(0, 256, (4, 48, 48), dtype=torch.uint8)
    exact = network(faces.unsqueeze(1).float() / 255).logits
    rounded, _ = DeployedNetwork(network)(faces)
    assert (exact - rounded).abs().max() < 0.01 * exact.abs().max()


def test_the_file_is_small(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(onnx_bytes(DeployedNetwork(build_network(TrainingConfig())), 48))
    assert path.stat().st_size < 7.5e6
