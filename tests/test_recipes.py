"""The recipes, on made faces and with networks that have learnt next to nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mien.datasets.ferplus import read_split
from mien.model_file import open_model
from mien.training.config import TrainingConfig, read_settings
from mien.training.data import image_tensor, training_data
from mien.training.networks import build_network
from mien.training.run import TrainingRun
from tests.made import write_ferplus

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "recipes"


def recipe(*command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": folder + os.pathsep + os.environ["PATH"]} | variables
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def full_disk(*command: str) -> "subprocess.CompletedProcess[str]":
    """The same where no file can grow above 32 kB."""
    return recipe("sh", "-c", 'ulimit -f 64 && exec "$@"', "sh", *command)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.name)
def test_settings_are_settings_of_a_training(path: Path) -> None:
    TrainingConfig.from_dict(read_settings(path))


def test_the_default_recipe_runs_to_its_end(ferplus_dir: Path, tmp_path: Path) -> None:
    quick = ["--epochs", "1", "--network", "residual_xs", "--threads", "1", "--batch-size", "32"]
    script = str(RECIPES / "default.sh")
    done = recipe("sh", script, str(ferplus_dir), str(tmp_path), *quick, SEEDS="5")
    assert done.returncode == 0, done.stderr
    settings = open_model(tmp_path / "student-5.onnx").metadata.provenance["settings"]
    assert settings["teacher"] == ["teacher-5.ckpt"]
    assert settings["seed"] == 5
    small = open_model(tmp_path / "student-int8.onnx").metadata.provenance
    assert small["quantized"] == "static, 8 bits"
    for path in tmp_path.glob("student-5.*"):
        path.unlink()
    epochs = (tmp_path / "teacher-5.csv").read_bytes()
    done = recipe("sh", script, str(ferplus_dir), str(tmp_path), *quick, SEEDS="5")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "student-5.onnx").is_file()
    assert (tmp_path / "teacher-5.csv").read_bytes() == epochs


def test_the_default_recipe_says_what_it_takes() -> None:
    done = recipe("sh", str(RECIPES / "default.sh"))
    assert done.returncode != 0
    assert "usage: [SEEDS=" in done.stderr


def test_balancing_takes_a_power_of_the_frequencies_off(ferplus_dir: Path, tmp_path: Path) -> None:
    quick = ["--epochs", "1", "--network", "residual_xs", "--threads", "1", "--batch-size", "32"]
    folders = ["--data-dir", str(ferplus_dir), "--model-path", str(tmp_path / "model.onnx")]
    done = recipe(sys.executable, "-m", "mien", "train", *folders, *quick)
    assert done.returncode == 0, done.stderr
    script, path = str(RECIPES / "balance.py"), str(tmp_path / "model.ckpt")
    balanced = tmp_path / "balanced.ckpt"
    done = recipe(sys.executable, script, path, str(ferplus_dir), "0.5", str(balanced))
    assert done.returncode == 0, done.stderr
    config = TrainingConfig(network="residual_xs")
    frequencies = training_data([read_split(ferplus_dir, "train")], config).frequencies()
    before, after = (torch.load(one, weights_only=True)["average"] for one in (path, balanced))
    off = before["head.bias"] - after["head.bias"]
    torch.testing.assert_close(off, 0.5 * frequencies.log(), rtol=1e-3, atol=1e-4)
    model = tmp_path / "balanced.onnx"
    folders = ["--data-dir", str(ferplus_dir), "--model-path", str(model)]
    done = recipe(sys.executable, "-m", "mien", "export", str(balanced), *folders)
    assert done.returncode == 0, done.stderr
    changes = open_model(model).metadata.provenance["changes"]
    assert changes == ["Of its answers 0.5 of the classes' frequencies taken off"]

    write_ferplus(tmp_path / "other", seed=1)
    other = str(tmp_path / "other")
    done = recipe(sys.executable, script, path, other, "0.5", str(tmp_path / "none.ckpt"))
    assert "model.ckpt: began with other training data" in done.stderr
    assert not (tmp_path / "none.ckpt").exists()


def test_teachers_begin_with_given_weights(ferplus_dir: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    torch.save(build_network(TrainingConfig(network="residual_xs")).state_dict(), weights)
    quick = ["--epochs", "1", "--network", "residual_xs", "--threads", "1", "--batch-size", "32"]
    script = str(RECIPES / "default.sh")
    command = ["sh", script, str(ferplus_dir), str(tmp_path), *quick]
    done = recipe(*command, SEEDS="5", WEIGHTS=str(weights))
    assert done.returncode == 0, done.stderr
    teacher = open_model(tmp_path / "teacher-5.onnx").metadata.provenance["settings"]
    assert teacher["initial_weights"] == "weights.pt"
    assert (
        teacher["rotation_degrees"]
        == read_settings(RECIPES / "people_teacher.toml")["rotation_degrees"]
    )
    student = open_model(tmp_path / "student-5.onnx").metadata.provenance["settings"]
    assert student["initial_weights"] == ""


def test_a_model_file_narrowed_to_its_own_width_stays_what_it_is(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    network = open_model().metadata.provenance["settings"]["network"]
    script = str(RECIPES / "narrow.py")
    packaged = str(ROOT / "src" / "mien" / "models" / "default.onnx")
    command = [sys.executable, script, packaged, str(ferplus_dir), network, str(path)]
    done = recipe(*command)
    assert done.stdout.startswith("logits differ by 0.00 "), done.stderr
    weights = path.read_bytes()
    assert full_disk(*command).returncode != 0
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, weights)]


def test_the_mean_of_a_run_and_its_own_result_is_the_result(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    quick = ["--epochs", "1", "--network", "residual_xs", "--threads", "1", "--batch-size", "32"]
    path = tmp_path / "model.onnx"
    folders = ["--data-dir", str(ferplus_dir), "--model-path", str(path)]
    done = recipe(sys.executable, "-m", "mien", "train", *folders, *quick)
    assert done.returncode == 0, done.stderr
    state = torch.load(tmp_path / "model.ckpt", weights_only=True)
    between = tmp_path / "between.ckpt"
    script, weights = str(RECIPES / "average.py"), str(tmp_path / "weights.pt")
    checkpoint = str(tmp_path / "model.ckpt")
    ends = [checkpoint, checkpoint, checkpoint]
    done = recipe(sys.executable, script, *ends, str(ferplus_dir), str(between))
    assert done.returncode == 0, done.stderr
    averaged = torch.load(between, weights_only=True)["average"]
    kept = [name for name in averaged if "running" not in name and "tracked" not in name]
    for name in kept:
        torch.testing.assert_close(averaged[name], state["average"][name])

    halved = {name: value / 2 for name, value in state["average"].items()}
    torch.save(halved, tmp_path / "weights.pt")
    options = ["--share", "0.25", "--keep-normalisation"]
    ends = [weights, checkpoint, str(ferplus_dir), str(between)]
    done = recipe(sys.executable, script, *ends, *options)
    assert done.returncode == 0, done.stderr
    state = torch.load(between, weights_only=True)
    told = "Mean of weights: 0.75 of weights.pt, 0.25 of model.ckpt; normalisation averaged too"
    assert state["changes"] == [told]
    averaged, state = state["average"], torch.load(checkpoint, weights_only=True)
    for name in [name for name in averaged if "tracked" not in name]:
        torch.testing.assert_close(averaged[name], 0.625 * state["average"][name])

    done = recipe(sys.executable, script, *ends, "--share", "7")
    assert "--share is 7.0, expected from 0 to 1" in done.stderr
    other = torch.load(tmp_path / "model.ckpt", weights_only=True)
    other["config"]["labels"] = list(other["config"]["labels"])[::-1]
    torch.save(other, tmp_path / "other.ckpt")
    ends = [weights, checkpoint, str(tmp_path / "other.ckpt"), str(ferplus_dir), str(between)]
    done = recipe(sys.executable, script, *ends)
    assert "the trainings differ in labels: (" in done.stderr


def test_all_faces_count_the_same_where_normalisation_is_measured_anew(tmp_path: Path) -> None:
    write_ferplus(tmp_path / "data", {"FER2013Train": 513})  # one more than a batch
    run = TrainingRun.begin(TrainingConfig(network="residual_xs", device="cpu", threads=1))
    run.save(tmp_path / "run.ckpt")
    ends = [str(tmp_path / name) for name in ("run.ckpt", "run.ckpt", "data", "mean.ckpt")]
    done = recipe(sys.executable, str(RECIPES / "average.py"), *ends)
    assert done.returncode == 0, done.stderr
    measured = torch.load(tmp_path / "mean.ckpt", weights_only=True)["average"]
    faces = image_tensor(read_split(tmp_path / "data", "train").images, 48).float() / 255
    kernel = run.average.get_submodule("stem.1")
    with torch.no_grad():
        answers = kernel(F.pixel_unshuffle((faces - 0.5) / 0.25, 2))
    mean, variance = answers.mean(dim=(0, 2, 3)), answers.var(dim=(0, 2, 3))
    limit = 0.02 * variance.sqrt().min().item()
    torch.testing.assert_close(measured["stem.2.running_mean"], mean, rtol=0, atol=limit)
    torch.testing.assert_close(measured["stem.2.running_var"], variance, rtol=0.02, atol=0)


def test_face_weights_scale_as_they_did(ferplus_dir: Path, tmp_path: Path) -> None:
    # A file as dlib writes it, with weights of our own: lengths before sizes, floats behind.
    generator = np.random.default_rng(0)
    network = build_network(TrainingConfig(network="face_resnet"))
    kernels = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    content = b"head"
    for kernel in kernels:
        count, width = kernel.weight.numel() + kernel.out_channels, kernel.out_channels
        scale = generator.uniform(0.5, 1.5, width) / kernel.weight[0].numel() ** 0.5
        shift = generator.normal(size=width)
        content += _layer(b"\x05con_4", generator.normal(size=count))
        content += _layer(b"\x07affine_", np.concatenate([scale, shift]))
    file, path = tmp_path / "network.dat", tmp_path / "weights.pt"
    file.write_bytes(content)
    script = str(RECIPES / "face_weights.py")
    command = [sys.executable, script, str(file), str(ferplus_dir), str(path)]
    done = recipe(*command)
    assert done.returncode == 0, done.stderr
    written = path.read_bytes()
    assert full_disk(*command).returncode != 0
    assert path.read_bytes() == written
    assert {one.name for one in tmp_path.iterdir()} == {file.name, path.name}

    first = np.frombuffer(content, "<f4", 4736, content.index(b"con_4") + 17)
    weights = torch.load(path, weights_only=True)
    expected = torch.from_numpy(first[:4704].copy()).view(32, 3, 7, 7)
    torch.testing.assert_close(weights["stem.0.weight"], expected)
    # The normalisation scales by what dlib scaled by.
    variance, scale = weights["stem.1.running_var"], weights["stem.1.weight"]
    affine = np.frombuffer(content, "<f4", 64, content.index(b"affine_") + 19)
    torch.testing.assert_close(
        scale / (variance + 1e-5).sqrt(), torch.from_numpy(affine[:32].copy()), rtol=1e-4, atol=0
    )


def test_mobilenet_begins_as_the_network_it_is_made_of(ferplus_dir: Path, tmp_path: Path) -> None:
    # A file as TensorFlow.js writes it, with weights of our own, some in half precision.
    network = build_network(TrainingConfig(network="mobilenet"))
    kernels = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    torch.manual_seed(0)
    weights = [torch.randn(k.weight.shape) * (2 / k.weight[0].numel()) ** 0.5 for k in kernels]
    weights[0] /= 150
    scales = [torch.rand(k.out_channels) + 0.5 if k.groups > 1 else torch.ones(1) for k in kernels]
    offsets = [torch.randn(k.out_channels) for k in kernels]
    values = {"age_pred/bias": torch.zeros(3)}
    for place, (weight, scale, offset) in enumerate(zip(weights, scales, offsets, strict=True)):
        kind = "dw" if place % 2 else "pw"
        name = f"conv_{kind}_{(place + 1) // 2}" if place else "conv1"
        if kind == "dw":
            values[f"{name}/depthwise_kernel"] = weight.permute(2, 3, 0, 1)
            values[f"{name}_bn/batchnorm_1/mul"] = scale.view(1, 1, 1, -1)
        else:
            values[f"{name}/convolution/merged_input"] = weight.permute(2, 3, 1, 0)
        values[f"{name}_bn/batchnorm_1/sub"] = offset
    entries, content = [], b""
    for name, value in values.items():
        entry: dict[str, Any] = {"name": name, "shape": list(value.shape), "dtype": "float32"}
        if "pw_3" in name:
            entry["quantization"], value = {"dtype": "float16"}, value.half()
        entries.append(entry)
        content += value.numpy().tobytes()
    file, path = tmp_path / "network.json", tmp_path / "weights.pt"
    file.write_text(json.dumps({"weightsManifest": [{"weights": entries}]}))
    file.with_suffix(".bin").write_bytes(content)
    script = str(RECIPES / "mobilenet_weights.py")
    done = recipe(sys.executable, script, str(file), str(ferplus_dir), str(path))
    assert done.returncode == 0, done.stderr

    network.load_state_dict(torch.load(path, weights_only=True), strict=False)
    lengths = kernels[5].weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2**0.5))
    faces = torch.rand(2, 1, 48, 48)
    x = F.interpolate(faces, size=160, mode="bilinear") * 255
    x = x - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    for place, (weight, scale, offset) in enumerate(zip(weights, scales, offsets, strict=True)):
        stride = 2 if place in (0, 3, 7, 11, 23) else 1
        sides = (0, 1, 0, 1) if stride == 2 else (weight.shape[-1] // 2,) * 4
        groups = len(weight) if place % 2 else 1
        x = F.conv2d(F.pad(x, sides), weight, stride=stride, groups=groups)
        x = (x * scale.view(1, -1, 1, 1) + offset.view(1, -1, 1, 1)).clamp(0, 6)
    with torch.no_grad():
        embedding = network.eval()(faces).embedding
    torch.testing.assert_close(embedding, x.mean(dim=(2, 3)), rtol=1e-2, atol=1e-3)


def _layer(name: bytes, values: "np.typing.NDArray[np.float64]") -> bytes:
    size = len(values).to_bytes(3, "little")
    shape = b"\x03" + size + b"\x01\x01" * 3
    return b"\x01" + name + b"\x01\x02" + shape + values.astype("<f4").tobytes()
