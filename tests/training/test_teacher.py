from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mien import ModelError
from mien.classification import classify
from mien.errors import ConfigError
from mien.model_file import open_model
from mien.models import PACKAGED
from mien.training.config import TrainingConfig
from mien.training.data import TrainingData
from mien.training.export import write_model
from mien.training.fit import train_step
from mien.training.folding import folded, restore_normalisation, unfolded
from mien.training.networks import NETWORKS, build_network
from mien.training.networks.output import NetworkOutput
from mien.training.run import TrainingRun
from mien.training.teachers import answers_to_all, ask, load_teacher
from mien.training.weights import load_initial_weights

SMALL = TrainingConfig(network="residual_xs", precision="float32", dropout=0.0, erase=0.0)


def beginning_with(path: Path) -> TrainingConfig:
    return TrainingConfig.from_dict(SMALL.to_dict() | {"initial_weights": str(path)})


class Sure(nn.Module):
    """A teacher that always gives the same probabilities."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__()
        self.probabilities = torch.tensor(probabilities)

    def forward(self, faces: Tensor) -> NetworkOutput:
        return NetworkOutput(self.probabilities.log().repeat(len(faces), 1), faces)


def test_several_teachers_answer_with_their_mean() -> None:
    answer = ask([Sure(0.9, 0.1), Sure(0.5, 0.5)], torch.zeros(3, 1, 48, 48)).probability
    torch.testing.assert_close(answer, torch.tensor([[0.7, 0.3]]).repeat(3, 1))


@pytest.mark.parametrize(("share", "pull"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_share_says_how_much_of_the_target_is_the_teachers(share: float, pull: float) -> None:
    # The votes say class 0, the teacher class 1: the offsets of the last layer follow the target.
    config = TrainingConfig.from_dict(SMALL.to_dict() | {"teacher_share": share})
    run = TrainingRun.begin(config)
    before = run.network.get_parameter("head.bias").detach().clone()
    images = torch.randint(0, 256, (8, 1, 48, 48), dtype=torch.uint8)
    votes = torch.eye(8)[torch.zeros(8, dtype=torch.long)]
    run.set_learning_rate(10)
    train_step(run, TrainingData(images, votes), torch.arange(8), [Sure(0, 1, 0, 0, 0, 0, 0, 0)])
    moved = run.network.get_parameter("head.bias").detach() - before
    assert moved.argmax() == pull
    assert moved[[0, 1]].min() < 0


class Left(nn.Module):
    """A teacher that is sure of class 0 where the left half is brighter, else of class 1."""

    def forward(self, faces: Tensor) -> NetworkOutput:
        half = faces.shape[-1] // 2
        left = faces[..., :half].mean(dim=(1, 2, 3)) > faces[..., half:].mean(dim=(1, 2, 3))
        return NetworkOutput(torch.stack([left, ~left], dim=1).float().log(), faces)


def test_clean_answers_are_the_mean_over_a_face_and_its_mirror_image() -> None:
    images = torch.zeros(300, 1, 48, 48, dtype=torch.uint8)
    images[:, :, :, :24] = 200
    done: list[tuple[int, int]] = []
    answers = answers_to_all([Left()], images, lambda *counts: done.append(counts))
    torch.testing.assert_close(answers, torch.full((300, 2), 0.5))
    assert done == [(256, 300), (300, 300)]


def test_answers_that_the_data_hold_pull_like_a_teacher() -> None:
    run = TrainingRun.begin(TrainingConfig.from_dict(SMALL.to_dict() | {"teacher_share": 1.0}))
    before = run.network.get_parameter("head.bias").detach().clone()
    images = torch.randint(0, 256, (8, 1, 48, 48), dtype=torch.uint8)
    votes, answers = (
        torch.eye(8)[torch.zeros(8, dtype=torch.long)],
        torch.eye(8)[torch.ones(8, dtype=torch.long)],
    )
    run.set_learning_rate(10)
    train_step(run, TrainingData(images, votes, answers), torch.arange(8))
    assert (run.network.get_parameter("head.bias").detach() - before).argmax() == 1


def test_the_packaged_model_can_teach() -> None:
    teacher = load_teacher("default", TrainingConfig())
    faces = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    images = (255 * faces[:, 0]).round().byte().numpy()
    logits = classify(open_model().session, images).logits
    torch.testing.assert_close(
        ask([teacher.network], faces).probability, torch.from_numpy(logits).softmax(dim=1)
    )


def test_a_run_goes_on_though_its_files_have_moved(tmp_path: Path) -> None:
    torch.save(build_network(SMALL).state_dict(), tmp_path / "weights.pt")
    files = {"teacher": ["wise.ckpt"], "initial_weights": str(tmp_path / "weights.pt")}
    run = TrainingRun.begin(TrainingConfig.from_dict(SMALL.to_dict() | files))
    run.save(tmp_path / "run.ckpt")
    moved = {"teacher": ["old/wise.ckpt"], "initial_weights": "gone/weights.pt"}
    again = TrainingRun.load(tmp_path / "run.ckpt", moved)
    assert again.config.teacher == ("old/wise.ckpt",)
    with pytest.raises(ConfigError, match="a run keeps its settings"):
        TrainingRun.load(tmp_path / "run.ckpt", {"initial_weights": "gone/others.pt"})


def test_initial_weights_are_taken_by_name_and_shape(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.manual_seed(1)
    source = build_network(SMALL).state_dict()
    source["head.weight"] = torch.zeros(3, 3)  # of another shape: left out
    torch.save(source, path)
    run = TrainingRun.begin(
        TrainingConfig.from_dict(SMALL.to_dict() | {"initial_weights": str(path)})
    )
    ours = run.network.state_dict()
    assert torch.equal(ours["stem.1.weight"], source["stem.1.weight"])
    assert torch.equal(run.average.state_dict()["stem.1.weight"], source["stem.1.weight"])
    assert ours["head.weight"].shape == (8, 112)
    assert run.not_given == ["head.weight"]


def test_initial_weights_may_be_those_of_a_checkpoint(tmp_path: Path) -> None:
    run = TrainingRun.begin(SMALL)
    with torch.no_grad():
        run.average.get_parameter("head.bias").fill_(7)
    run.save(tmp_path / "run.ckpt")
    network = build_network(SMALL)
    load_initial_weights(network, beginning_with(tmp_path / "run.ckpt"))
    assert (network.get_parameter("head.bias") == 7).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"not weights", "not a readable file of weights"),
        ({"other": torch.zeros(1)}, "holds 0 of the network's"),
        ([1, 2], "holds 0 of the network's"),
        ({"average": {}}, "does not fit this version of mien"),
        ({"average": {"head.bias": 1}, "config": SMALL.to_dict()}, "does not fit this version"),
    ],
)
def test_other_files_are_no_initial_weights(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ModelError, match=message):
        load_initial_weights(build_network(SMALL), beginning_with(path))


def test_a_model_can_be_trained_on() -> None:
    faces = torch.rand(64, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    images = (255 * faces[:, 0]).round().byte().numpy()
    logits = torch.from_numpy(classify(open_model().session, images).logits)
    plain = {"dropout": 0.0, "stochastic_depth": 0.0, "initial_weights": "default"}
    run = TrainingRun.begin(
        TrainingConfig.from_dict(plain), faces=torch.tensor(images)[:, None] / 255
    )
    assert run.not_given == []
    assert run.initial_digest == PACKAGED["default"]
    with torch.no_grad():
        seen = torch.from_numpy(images)[:, None] / 255
        torch.testing.assert_close(run.average(seen).logits, logits, atol=0.01, rtol=0.01)
        # Trained on, it normalises by what it sees, and answers about the same.
        torch.testing.assert_close(run.network.train()(seen).logits, logits, atol=0.2, rtol=0.1)


def test_of_a_model_the_labels_that_are_learnt_are_taken(tmp_path: Path) -> None:
    faces = torch.rand(8, 1, 48, 48)
    model = open_model()
    known = model.metadata.labels
    others = replace(model.metadata, labels=("boredom", *known[1:]))
    write_model(model.content, others, tmp_path / "others.onnx")

    def begun(name: str, *labels: str) -> tuple[Tensor, list[str]]:
        config = TrainingConfig.from_dict({"labels": list(labels), "initial_weights": name})
        network = build_network(config)
        not_given = load_initial_weights(network, config, faces)
        return network.get_parameter("head.weight"), not_given

    whole, _ = begun("default", *known)
    part, not_given = begun("default", "fear", "neutral")
    assert torch.equal(part, whole[[known.index("fear"), known.index("neutral")]])
    assert not_given == []
    assert begun(str(tmp_path / "others.onnx"), *known)[1] == ["head.weight", "head.bias"]

    run = TrainingRun.begin(TrainingConfig())
    run.save(tmp_path / "run.ckpt")
    turned, _ = begun(str(tmp_path / "run.ckpt"), *known[::-1])
    assert torch.equal(turned, run.average.get_parameter("head.weight").flip(0))
    eight_others = ("boredom", *known[1:])
    assert begun(str(tmp_path / "run.ckpt"), *eight_others)[1] == ["head.weight", "head.bias"]


def test_a_model_of_another_network_or_in_eight_bits_is_refused() -> None:
    faces = torch.rand(8, 1, 48, 48)
    for settings, message in (
        ({"network": "vgg13"}, r"default: holds \d+ of the network's"),
        ({"initial_weights": "default-int8"}, "default-int8: computes in eight bits"),
        ({"initial_weights": "defualt"}, r"defualt: no such .* packaged model \(default, "),
    ):
        config = TrainingConfig.from_dict({"initial_weights": "default"} | settings)
        with pytest.raises(ModelError, match=message):
            load_initial_weights(build_network(config), config, faces)


@pytest.mark.parametrize("name", NETWORKS)
def test_normalisation_is_folded_and_taken_out_again(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(6, 1, 48, 48, generator=generator)
    network, fresh = (build_network(TrainingConfig(network=name)).eval() for _ in range(2))
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean = 0.2 * torch.randn(norm.num_features, generator=generator)
            norm.running_var = 0.5 + torch.rand(norm.num_features, generator=generator)
    before = network(faces).logits
    fresh.load_state_dict(unfolded(fresh, folded(network).state_dict()))
    torch.testing.assert_close(fresh(faces).logits, before, atol=1e-3, rtol=1e-3)
    restore_normalisation(fresh, faces)
    torch.testing.assert_close(fresh(faces).logits, before, atol=1e-3, rtol=1e-3)


def test_normalisation_that_was_not_given_stays_random() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))
    network.append(nn.BatchNorm2d(4)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    restore_normalisation(network, torch.rand(8, 1, 12, 12), given={"0.weight", "1.weight"})
    after = network.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {f"1.{name}" for name in ("weight", "bias", "running_mean", "running_var")}
