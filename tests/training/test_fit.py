import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien import ConfigError, DataError, alignment
from mien.datasets.faces import FaceSet
from mien.labels import EMOTIONS
from mien.training.config import TrainingConfig
from mien.training.data import (
    SetShare,
    TrainingData,
    image_tensor,
    scoring_data,
    training_data,
)
from mien.training.fit import (
    Progress,
    batches,
    fit,
    step_targets,
    target_loss,
    tilted,
    train_step,
    uphill,
    within,
)
from mien.training.networks.output import NetworkOutput
from mien.training.run import EpochScores, TrainingRun


def face_set(*votes: list[int]) -> FaceSet:
    images = np.arange(len(votes) * 48 * 48, dtype=np.int64).reshape(-1, 48, 48) % 251
    names = tuple(f"{number}.png" for number in range(len(votes)))
    return FaceSet(images.astype(np.uint8), np.array(votes), names, "made")


def test_soft_targets_are_shares_of_the_votes_of_known_labels() -> None:
    faces = face_set(
        [6, 0, 0, 3, 0, 0, 0, 1, 0, 0],  # the single vote is an outlier
        [0, 5, 0, 0, 5, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 9, 0, 0],  # contempt is not learnt here
        [0, 0, 0, 0, 0, 0, 0, 0, 9, 0],  # unknown
    )
    config = TrainingConfig(labels=("neutral", "happiness", "sadness"))
    data = training_data([faces], config)
    assert data.images.shape == (2, 1, 48, 48)
    expected = torch.tensor([[2 / 3, 0, 1 / 3], [0, 1, 0]])
    torch.testing.assert_close(data.targets, expected)


def test_scoring_takes_strict_majorities() -> None:
    faces = face_set([6, 0, 0, 4, 0, 0, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0, 0, 0, 0, 0])
    assert scoring_data([faces], TrainingConfig()).targets.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]


def test_too_few_labelled_faces_are_refused() -> None:
    with pytest.raises(DataError, match="data set 1: 0 of 1 faces"):
        training_data([face_set([0] * 8 + [10, 0])], TrainingConfig())


def test_sets_are_joined_and_say_what_they_know() -> None:
    grey = face_set([9, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0, 0, 0, 0])
    colour = replace(
        face_set(*[[9, 0, 0, 0]] * 3),
        images=np.zeros((3, 60, 60, 3), np.uint8),
        labels=("happiness", "fear"),
    )
    config = TrainingConfig(labels=("neutral", "happiness", "fear"), data_weight=(1.0, 0.5))
    data = training_data([grey, colour], config)
    assert data.images.shape == (5, 3, 48, 48)
    assert data.known is not None
    assert data.known.tolist() == [[True] * 3] * 2 + [[False, True, True]] * 3
    assert data.sets == (SetShare(2), SetShare(3, 0.5))
    # Three faces of weight 1/2 and two of weight 1; neutral is known to the latter alone. Fear,
    # which no face shows, counts as one of five.
    torch.testing.assert_close(data.frequencies(), torch.tensor([1 / 2, 2.5 / 3.5, 1 / 5]))
    assert training_data([grey], replace(config, data_weight=())).known is None


def test_weights_and_sets_have_to_fit_one_another() -> None:
    faces = face_set(*[[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]] * 3)
    with pytest.raises(ConfigError, match=r"data_weight is \[2\.0\], expected one weight for each"):
        training_data([faces, faces], TrainingConfig(data_weight=(2.0,)))
    with pytest.raises(DataError, match="1 faces an epoch by weight"):
        training_data([faces], TrainingConfig(data_weight=(0.4,)))
    one = replace(faces, votes=np.array([[9, 0, 0]] * 3), labels=("neutral",))
    with pytest.raises(DataError, match="data set 2 has neutral, expected at least two of"):
        training_data([faces, one], TrainingConfig())
    with pytest.raises(ConfigError, match=r"no data set has contempt, fear, only neutral, .*--lab"):
        training_data([replace(faces, labels=EMOTIONS[:6])], TrainingConfig())


def test_an_epoch_takes_faces_by_the_weights_of_their_sets() -> None:
    images, targets = torch.zeros(10, 1, 48, 48, dtype=torch.uint8), torch.eye(2)[[0] * 10]
    plain = TrainingData(images, targets)
    expected = np.random.default_rng([3, 1]).permutation(10)
    np.testing.assert_array_equal(plain.epoch_order(seed=3, epoch=1), expected)

    data = TrainingData(images, targets, sets=(SetShare(4, 0.5), SetShare(6, 2.5)))
    assert data.faces_per_epoch == 2 + 15
    orders = [data.epoch_order(seed=3, epoch=epoch) for epoch in range(2)]
    for order in orders:
        counts = np.bincount(order, minlength=10)
        assert sorted(counts[:4]) == [0, 0, 1, 1]
        assert sorted(counts[4:]) == [2, 2, 2, 3, 3, 3]
    assert not np.array_equal(orders[0], orders[1])


def test_classes_that_a_set_does_not_have_get_no_gradient() -> None:
    known = torch.tensor([[True, False] + [True] * 6] * 4)
    images = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8)
    config = TrainingConfig(
        network="residual_xs", label_smoothing=0.1, teacher_share=0.5, threads=1, weight_decay=0.0
    )
    run = TrainingRun.begin(config)
    answers = torch.full((4, 8), 1 / 8)
    data = TrainingData(images, torch.eye(8)[[0, 2, 3, 0]], answers, known)
    weight = run.network.get_parameter("head.weight")
    before = weight.detach().clone()
    train_step(run, data, torch.arange(4))
    changed = (weight != before).any(dim=1)
    assert changed.tolist() == [True, False] + [True] * 6


def test_classes_that_a_set_does_not_have_take_no_probability() -> None:
    known = torch.tensor([[True, False] + [True] * 6] * 4)
    images = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8)
    run = TrainingRun.begin(TrainingConfig(network="residual_xs", precision="float32"))
    for parameter in run.network.get_submodule("head").parameters():
        torch.nn.init.zeros_(parameter)  # so that all known classes are as probable
    data = TrainingData(images, torch.eye(8)[[0, 2, 3, 0]], known=known)
    assert train_step(run, data, torch.arange(4)) == pytest.approx(math.log(7))


@pytest.mark.parametrize(("view", "share"), [("same", 0.0), ("whole", 1.0), ("whole", 0.25)])
def test_teachers_see_patches_or_the_face_behind_them(view: str, share: float) -> None:
    class Watching(torch.nn.Module):
        def forward(self, faces: torch.Tensor) -> NetworkOutput:
            self.seen = faces
            return NetworkOutput(torch.zeros(len(faces), 8), torch.zeros(len(faces), 1))

    config = TrainingConfig(
        network="residual_xs",
        threads=1,
        teacher_view=view,
        teacher_whole_share=share,
        brightness=0.0,
        contrast=0.0,
        noise_share=0.0,
        jpeg_share=0.0,
        erase_share=1.0,
    )
    white = torch.full((64, 1, 48, 48), 255, dtype=torch.uint8)
    teacher = Watching()
    data = TrainingData(white, torch.eye(8)[[0] * 64])
    train_step(TrainingRun.begin(config), data, torch.arange(64), [teacher])
    is_white = ((teacher.seen - 1).abs() < 1e-5).flatten(1).all(dim=1)
    assert is_white.float().mean() == pytest.approx(share, abs=0.15 * (0 < share < 1))


def test_answers_and_smoothing_stay_within_the_known_classes() -> None:
    known = torch.tensor([[True, True, False, False], [True] * 4])
    answers = torch.tensor([[0.3, 0.1, 0.5, 0.1], [0.25] * 4])
    torch.testing.assert_close(
        within(answers, known), torch.tensor([[0.75, 0.25, 0, 0], [0.25] * 4])
    )
    assert within(answers, None) is answers
    smooth = TrainingConfig(label_smoothing=0.2)
    targets = step_targets(torch.eye(4)[:2], smooth, torch.Generator(), known)
    expected = torch.tensor([[0.9, 0.1, 0, 0], [0.05, 0.85, 0.05, 0.05]])
    torch.testing.assert_close(targets, expected)


def test_images_are_cut_as_at_run_time() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (2, 60, 90), dtype=np.uint8)
    expected = np.stack([alignment.whole(image, 48) for image in wide])
    np.testing.assert_array_equal(image_tensor(wide, 48)[:, 0].numpy(), expected)


def test_images_are_scaled_to_the_input() -> None:
    grey = np.full((2, 48, 48), 77, dtype=np.uint8)
    assert (image_tensor(grey, 64) == 77).all()
    assert image_tensor(np.zeros((2, 30, 30, 3), np.uint8), 48).shape == (2, 3, 48, 48)


def test_probability_mode_draws_one_class_by_its_share() -> None:
    config = TrainingConfig(label_mode="probability")
    targets = torch.tensor([[0.75, 0.25, 0, 0, 0, 0, 0, 0]]).repeat(4000, 1)
    drawn = step_targets(targets, config, torch.Generator().manual_seed(0))
    assert (drawn[:, :2].sum(dim=1) == 1).all()
    assert drawn[:, 0].mean() == pytest.approx(0.75, abs=0.02)


def test_multi_target_counts_the_most_probable_target() -> None:
    config = TrainingConfig(label_mode="multi_target")
    logits = torch.log(torch.tensor([[0.6, 0.3, 0.1]]))
    targets = torch.tensor([[0.0, 0.5, 0.5]])
    loss = target_loss(logits, targets, config)
    assert loss.item() == pytest.approx(-math.log(0.5 * 0.3), abs=1e-6)


def test_balance_takes_frequent_classes_back() -> None:
    # With inputs that say nothing, the offsets of the last layer come to the log of the classes'
    # frequencies; the balance takes its power of them off.
    targets = torch.eye(2)[[0] * 9 + [1]]
    data = TrainingData(torch.zeros(10, 1, 48, 48, dtype=torch.uint8), targets)
    for balance in (0.0, 0.5, 1.0):
        config = TrainingConfig(balance=balance)
        offsets = torch.zeros(2, requires_grad=True)
        optimizer = torch.optim.SGD([offsets], lr=1.0)
        for _ in range(300):
            optimizer.zero_grad()
            loss = target_loss(tilted(offsets.repeat(10, 1), data, config), targets, config)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        odds = (offsets[0] - offsets[1]).item()
        assert odds == pytest.approx((1 - balance) * math.log(9), abs=0.01)


def test_label_smoothing_spreads_a_share_over_all_classes() -> None:
    smooth = TrainingConfig(label_smoothing=0.2)
    targets = torch.tensor([[1.0, 0, 0, 0]])
    result = step_targets(targets, smooth, torch.Generator())
    torch.testing.assert_close(result, torch.tensor([[0.85, 0.05, 0.05, 0.05]]))


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    config = TrainingConfig(network="residual_xs", learning_rate=0.1, warmup=0.1)
    run = TrainingRun.begin(config)
    rates = []
    for run.step in range(100):
        rates.append(run.set_learning_rate(100))
    assert rates[0] == pytest.approx(0.1 / 11)
    assert rates[10] == max(rates) == pytest.approx(0.1)
    assert rates[55] == pytest.approx(0.05)
    assert 0 < rates[99] < 1e-4
    assert run.optimizer.param_groups[1]["lr"] == rates[-1]


@pytest.mark.parametrize(("step", "left"), [(0, 0.1), (8, 0.5), (1000, 0.9)])
def test_the_averaged_weights_follow_the_network_faster_at_first(step: int, left: float) -> None:
    config = TrainingConfig(network="residual_xs", average_decay=0.9)
    run = TrainingRun.begin(config)
    run.step = step
    with torch.no_grad():
        for parameter in run.network.parameters():
            parameter.add_(1)
    run.update_average()
    ours = run.average.state_dict()
    for name, value in run.network.named_parameters():
        torch.testing.assert_close(ours[name], value - left)


def test_weight_decay_spares_offsets_and_normalisation() -> None:
    run = TrainingRun.begin(TrainingConfig(network="residual_xs"))
    decayed, spared = run.optimizer.param_groups
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in spared["params"])
    assert (decayed["weight_decay"], spared["weight_decay"]) == (5e-4, 0.0)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_where_there_is_momentum_it_is_nesterovs(momentum: float) -> None:
    run = TrainingRun.begin(TrainingConfig(network="residual_xs", momentum=momentum))
    for group in run.optimizer.param_groups:
        assert (group["momentum"], group["nesterov"]) == (momentum, momentum > 0)


def test_what_is_fixed_stays_as_it_begins() -> None:
    faces = face_set(*[[9, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0, 0, 0, 0]] * 4)
    config = TrainingConfig(network="residual_xs", precision="float32", fixed=("stem", "blocks.0"))
    run = TrainingRun.begin(config)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.set_learning_rate(10)
    train_step(run, training_data([faces], config), torch.arange(8))
    after = run.network.state_dict()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same == {name for name in before if name.startswith(("stem.", "blocks.0."))}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("stm",), "fixed names 'stm', but residual_xs consists of stem, blocks, dropout, head"),
        (("",), "fixed names ''"),
        (("stem", "blocks", "head"), "fixed leaves nothing of residual_xs to learn"),
    ],
)
def test_fixed_names_parts_and_leaves_some(parts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingRun.begin(TrainingConfig(network="residual_xs", fixed=parts))


def test_uphill_is_one_radius_along_the_gradient_and_back_again() -> None:
    network = torch.nn.Linear(3, 2)
    before = [weight.detach().clone() for weight in network.parameters()]
    network(torch.tensor([[1.0, 2.0, 2.0]])).sum().backward()
    with uphill(network, 0.5):
        moved = [weight - old for weight, old in zip(network.parameters(), before, strict=True)]
        length = torch.stack([part.norm() for part in moved]).norm()
        assert length.item() == pytest.approx(0.5)
        torch.testing.assert_close(moved[0][0], torch.tensor([1.0, 2.0, 2.0]) * 0.5 / 20**0.5)
    assert all(map(torch.equal, network.parameters(), before))


def test_a_sharpness_radius_takes_the_gradient_from_uphill() -> None:
    faces = face_set(*[[9, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0, 0, 0, 0]] * 4)
    weights, means = [], []
    for radius in (0.0, 1e-6, 0.5):
        config = TrainingConfig(
            network="residual_xs", sharpness_radius=radius, precision="float32", device="cpu"
        )
        run = TrainingRun.begin(config)
        run.set_learning_rate(10)
        train_step(run, training_data([faces], config), torch.arange(8))
        weights.append(run.network.state_dict()["head.weight"])
        means.append(run.network.state_dict()["stem.2.running_mean"])
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(means[0], means[2])  # uphill nothing is noted
    assert not torch.allclose(weights[0], weights[2], rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize(
    ("faces", "batch_size", "expected"),
    [
        (28_386, 128, (128, 221)),
        (320, 32, (32, 10)),
        (255, 128, (127, 2)),
        (200, 128, (100, 2)),
        (100, 128, (100, 1)),
        (2, 128, (2, 1)),
        (3, 2, (2, 1)),
        (19, 2, (2, 9)),
        (27, 4, (4, 6)),
    ],
)
def test_an_epoch_takes_as_many_faces_as_its_batches_allow(
    faces: int, batch_size: int, expected: tuple[int, int]
) -> None:
    assert batches(faces, batch_size) == expected


def test_no_epoch_of_large_batches_leaves_out_more_than_a_sixteenth() -> None:
    for faces in range(2, 2000):
        for batch_size in (2, 4, 16, 32, 128):
            size, steps = batches(faces, batch_size)
            assert 2 <= size <= batch_size
            assert size * steps >= min(batch_size, faces) * (faces // min(batch_size, faces))
            assert size * steps <= faces
            assert batch_size < 32 or 16 * size * steps >= 15 * faces


def test_the_table_has_the_mean_loss_of_every_epochs_steps() -> None:
    faces = face_set(*[[9, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 0, 0, 0, 0, 0]] * 6)
    config = TrainingConfig(network="residual_xs", epochs=2, batch_size=4, device="cpu")
    run, steps = TrainingRun.begin(config), list[Progress]()
    data, scoring = training_data([faces], config), scoring_data([faces], config)
    fit(run, data, scoring, [], steps.append, lambda: None, lambda: False)
    assert [(one.step, one.epoch) for one in steps] == [
        *((1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1))
    ]
    losses = np.array([one.loss for one in steps]).reshape(2, 3)
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert [row["train_loss"] for row in run.history] == pytest.approx(losses.mean(axis=1))


def test_a_checkpoint_keeps_where_the_run_stands(tmp_path: Path) -> None:
    run = TrainingRun.begin(TrainingConfig(network="residual_xs"), "data", ["teacher"])
    run.step, run.epoch_loss, run.epoch_seconds, run.initial_digest = 7, 1.5, 2.5, "weights"
    run.history.append(EpochScores(**dict.fromkeys(EpochScores.__annotations__, 1)))  # type: ignore[typeddict-item]
    run.save(tmp_path / "run.pt")
    again = TrainingRun.load(tmp_path / "run.pt")
    for name in ("step", "epoch_loss", "epoch_seconds", "initial_digest", "history"):
        assert getattr(again, name) == getattr(run, name)
    assert (again.data_digest, again.teacher_digests) == ("data", ["teacher"])


def test_a_checkpoint_that_can_not_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, path = TrainingRun.begin(TrainingConfig(network="residual_xs")), tmp_path / "run.pt"
    run.save(path)
    before = path.read_bytes()

    def half(path: Path, content: memoryview) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    run.step = 1
    with pytest.raises(OSError, match="No space left"):
        run.save(path)
    assert [one.name for one in tmp_path.iterdir()] == ["run.pt"]
    assert path.read_bytes() == before


def test_data_that_know_other_classes_are_other_data() -> None:
    config = TrainingConfig(labels=("neutral", "happiness"))
    data = training_data([face_set(*[[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]] * 2)], config)
    digests = {
        data._replace(known=known).digest()
        for known in (None, torch.tensor([[True, True]] * 2), torch.tensor([[True, False]] * 2))
    }
    assert len(digests) == 3
