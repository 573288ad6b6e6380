"""Learning the embeddings of teachers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mien.errors import ConfigError
from mien.training.config import TrainingConfig
from mien.training.embeddings import AXES, EmbeddingMatch
from mien.training.run import TrainingRun
from mien.training.train import Training

#: What else would change a face before teachers and network see it.
CHANGES = (
    *("flip", "rotation_degrees", "scale", "shift", "brightness", "contrast"),
    *("noise_share", "blur_share", "low_resolution_share", "jpeg_share", "erase_share"),
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.ckpt"
    TrainingRun.begin(TrainingConfig(network="residual_s", seed=3)).save(path)
    return path


def training(data: Path, model: Path, first: Path, resume: bool = False, **more: Any) -> Training:
    settings = {"network": "residual_xs", "epochs": 4, "threads": 1, "device": "cpu"}
    settings |= {"teacher": [str(first), "default"], "teacher_embedding": 1.0} | more
    return Training([data], model, None, settings, resume)


def steps(one: Training, count: int) -> None:
    done: list[object] = []
    one.fit(done.append, lambda: len(done) >= count)


def test_embeddings_are_learnt_along_their_main_axes_each_as_much() -> None:
    generator = torch.Generator().manual_seed(0)
    turned = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
    lengths = torch.tensor([100.0, 10, 1, 1e-3, 0, 0])
    narrow = torch.randn(500, 6, generator=generator) * lengths @ turned + 7
    wide = torch.randn(500, 40, generator=generator)
    match = EmbeddingMatch.begin(5, [narrow, wide])
    assert match.map.weight.shape == (3 + AXES, 5)
    along = (torch.cat([narrow, wide], dim=1) - match.mean) @ match.axes
    torch.testing.assert_close(along.var(dim=0), torch.ones(3 + AXES), atol=0.01, rtol=0)
    torch.testing.assert_close(along.mean(dim=0), torch.zeros(3 + AXES), atol=1e-3, rtol=0)
    assert torch.corrcoef(along[:, :3].T).fill_diagonal_(0).abs().max() < 1e-2


def test_a_network_comes_to_see_what_its_teachers_see(
    ferplus_dir: Path, tmp_path: Path, teacher: Path
) -> None:
    plain: dict[str, Any] = dict.fromkeys(CHANGES, 0.0)
    model = tmp_path / "model.onnx"
    one = training(ferplus_dir, model, teacher, epochs=12, learning_rate=0.05, **plain)
    faces = one.data.images.float() / 255

    @torch.no_grad()
    def distance() -> float:
        assert one.run.match is not None
        seen = [network(faces).embedding for network in one.teachers]
        ours = one.run.network.train()(faces).embedding
        return float(one.run.match(ours, torch.cat(seen, dim=1)))

    before = distance()
    steps(one, 100)
    assert distance() < 0.8 * before


def test_a_run_goes_on_bit_for_bit_with_what_it_learns_beside(
    ferplus_dir: Path, tmp_path: Path, teacher: Path
) -> None:
    whole, part = tmp_path / "whole.onnx", tmp_path / "part.onnx"
    steps(training(ferplus_dir, whole, teacher), 5)
    steps(training(ferplus_dir, part, teacher), 2)
    steps(training(ferplus_dir, part, teacher, resume=True), 3)
    ours, theirs = (
        torch.load(path.with_suffix(".ckpt"), weights_only=True) for path in (whole, part)
    )
    for part_of_run in ("network", "average", "match"):
        assert all(
            torch.equal(ours[part_of_run][name], theirs[part_of_run][name])
            for name in ours[part_of_run]
        )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"teacher": []}, r"teacher_embedding is 1\.0, but there is no teacher"),
        ({"teacher_view": "clean"}, "teacher_embedding is of changed faces, but teacher_view"),
        ({"teacher_whole_share": 0.5}, "teacher_whole_share is 0.5, but teacher_view is 'same'"),
        ({"mixing_share": 0.5}, "teacher_embedding is of whole faces, but mixing_share"),
    ],
)
def test_what_embeddings_cannot_be_learnt_with_is_refused(
    ferplus_dir: Path, tmp_path: Path, teacher: Path, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        training(ferplus_dir, tmp_path / "model.onnx", teacher, **more)
