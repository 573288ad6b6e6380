import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from mien import ConfigError, EmotionRecognition, ModelError
from mien.datasets.ferplus import read_split
from mien.evaluation.scoring import classify_faces
from mien.model_file import open_model, read_model
from mien.models import read_packaged
from mien.training.config import TrainingConfig
from mien.training.export import export, write_model
from mien.training.faces import TrainingFaces
from mien.training.quantize import quantize
from mien.training.run import TrainingRun


@pytest.fixture(scope="module")
def small(ferplus_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model in eight bits, with ranges from made faces."""
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    quantize("default", [ferplus_dir], path)
    return path


def test_answers_stay_close_in_half_of_the_space(small: Path, ferplus_dir: Path) -> None:
    faces = read_split(ferplus_dir, "valid")
    exact, rounded = (
        classify_faces(model, faces).logits for model in (open_model(), open_model(small))
    )
    assert np.abs(exact - rounded).mean() < 0.05 * exact.std()
    assert small.stat().st_size < 0.55 * len(read_model("default"))


def test_kernels_that_stay_whole_take_more_space(ferplus_dir: Path, tmp_path: Path) -> None:
    exact, small, whole = (tmp_path / f"{name}.onnx" for name in ("exact", "small", "whole"))
    run = TrainingRun.begin(TrainingConfig(network="residual_xs"))
    for name, value in run.average.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(value)  # at zero, as they begin, they would be left out
    export(run, TrainingFaces.read([ferplus_dir]), exact)
    metadata = open_model(exact).metadata
    provenance = metadata.provenance | {"kept_variance": 0.95}  # as of an export that lost some
    write_model(open_model(exact).content, replace(metadata, provenance=provenance), exact)
    quantize(exact, [ferplus_dir], small, kept_variance=0.9)
    quantize(exact, [ferplus_dir], whole, kept_variance=1)
    assert whole.stat().st_size > 1.2 * small.stat().st_size
    kept = [open_model(path).metadata.provenance["kept_variance"] for path in (small, whole)]
    assert kept == [0.9, 0.95]


def test_every_channel_of_a_kernel_has_a_scale_of_its_own(small: Path) -> None:
    graph = onnx.load(small).graph
    stored = {one.name: one for one in graph.initializer}
    kernels = [
        node.input[:2]
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0].endswith("_quantized")
        and len(stored[node.input[0]].dims) == 4
    ]
    assert len(kernels) > 10
    for kernel, scale in kernels:
        assert list(stored[scale].dims) == [stored[kernel].dims[0]]


@pytest.mark.parametrize("made", [True, False])
def test_every_kernel_has_one_zero_point(made: bool, small: Path) -> None:
    """ONNX Runtime before 1.28 runs no others; the stem has channels whose weights are all zero."""
    graph = onnx.load_from_string(
        small.read_bytes() if made else read_packaged("default-int8")
    ).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    kernels = [name for name in stored if name.endswith("_quantized") and stored[name].ndim == 4]
    zeros = [stored[name.replace("_quantized", "_zero_point")] for name in kernels]
    assert len(kernels) > 10
    assert {len(np.unique(one)) for one in zeros} == {1}
    assert any(
        (stored[name] == one[0]).all(axis=(1, 2, 3)).any()
        for name, one in zip(kernels, zeros, strict=True)
    )


def test_an_answer_does_not_depend_on_the_batch(small: Path, ferplus_dir: Path) -> None:
    images = list(read_split(ferplus_dir, "valid").images[:20])
    recognition = EmotionRecognition(model=small)
    together = recognition.run_on_faces(images)
    for face, answer in zip(images, together, strict=True):
        alone = recognition.run_on_face(face)
        assert alone["emotions"] == pytest.approx(answer["emotions"], abs=1e-6)


def test_it_is_calibrated_by_itself_and_says_what_it_is(small: Path) -> None:
    exact, rounded = open_model().metadata, open_model(small).metadata
    assert rounded.calibration != exact.calibration
    assert rounded.provenance["quantized"] == "static, 8 bits"
    assert rounded.provenance["settings"] == exact.provenance["settings"]
    assert rounded.provenance["scores"]["valid_faces"] > 0


@pytest.mark.parametrize("kept_variance", [0, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(
    kept_variance: float, ferplus_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"kept_variance is .*, expected a share above 0, up to 1"
    ):
        quantize("default", [ferplus_dir], tmp_path / "small.onnx", kept_variance)


def test_what_is_in_eight_bits_is_not_quantised_again(ferplus_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="default-int8: is in eight bits already"):
        quantize("default-int8", [ferplus_dir], tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_is_not_written_over_itself(ferplus_dir: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(open_model().content)
    with pytest.raises(ConfigError, match=r"model\.onnx: is the model itself"):
        quantize(model, [ferplus_dir], model)
    assert model.read_bytes() == open_model().content


@pytest.mark.skipif(os.name == "nt", reason="there are no such links")
def test_a_model_behind_a_link_is_found_or_told(ferplus_dir: Path, tmp_path: Path) -> None:
    model, linked, loop = (tmp_path / name for name in ("model.onnx", "linked.onnx", "loop.onnx"))
    model.write_bytes(open_model().content)
    linked.hardlink_to(model)
    loop.symlink_to(loop)
    with pytest.raises(ConfigError, match=r"linked\.onnx: is the model itself"):
        quantize(model, [ferplus_dir], linked)
    with pytest.raises(ModelError, match=r"loop\.onnx: can't be read \(Too many levels"):
        quantize(loop, [ferplus_dir], model)


def test_what_stands_in_the_way_is_noticed_before_the_work(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "trained.ckpt").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"would stand beside trained\.ckpt"):
        quantize("default", [ferplus_dir], tmp_path / "trained.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.onnx: is a folder"):
        quantize("default", [ferplus_dir], tmp_path / "folder.onnx")


def test_a_missing_model_and_another_ending_are_refused(ferplus_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        quantize(tmp_path / "none.onnx", [ferplus_dir], tmp_path / "small.onnx")
    with pytest.raises(ConfigError, match=r"expected a name in \.onnx"):
        quantize("default", [ferplus_dir], tmp_path / "small.tflite")
    assert not list(tmp_path.iterdir())
