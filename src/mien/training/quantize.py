"""From a model file to a smaller one that computes in eight bits."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from mien.errors import ConfigError
from mien.files import place_of
from mien.model_file import open_model
from mien.training.export import described, fitted, write_model
from mien.training.faces import TrainingFaces
from mien.training.low_rank import (
    KEPT_VARIANCE,
    check_kept_variance,
    factorised,
    input_batches,
    sample_faces,
)
from mien.training.train import TrainingFiles

Images = NDArray[np.uint8]

#: The rest, the last layer among it, stays in single precision: it costs nothing.
QUANTIZED = ["Conv", "Relu", "Add"]


def quantize(
    model: str | Path,
    data_dirs: Sequence[Path],
    path: Path,
    kept_variance: float = KEPT_VARIANCE,
) -> None:
    """Write a model file with eight-bit kernels and activations, calibrated anew.

    Large kernels become two smaller ones first, where that costs nearly nothing. The ranges are
    fixed in advance (static quantisation), so that an answer does not depend on the batch.
    Source: Jacob et al. 2018, arXiv 1712.05877.

    Args:
        model: a path, or the name of a packaged model.
        data_dirs: the data sets: the ranges come from Training, the calibration from Valid.
        path: the file to write.
        kept_variance: see `mien.training.low_rank.factorised`.

    Raises:
        ConfigError: the model path is no name in .onnx, the model's own or that of a training; the
            share is out of range; or the model is in eight bits already.
        ModelError: the model file is missing or damaged.
        DataError: the data set is missing or damaged.
    """
    files = TrainingFiles(path)
    check_kept_variance(kept_variance)
    if path.exists() and place_of(path) == place_of(Path(model)):
        raise ConfigError(f"{path}: is the model itself, expected another name")
    files.check_apart(None)
    files.check_writable()
    opened = open_model(model)
    metadata = opened.metadata
    if "quantized" in metadata.provenance:
        raise ConfigError(f"{model}: is in eight bits already")
    faces, side = TrainingFaces.read(data_dirs), metadata.input_size
    content = quantized(opened.content, sample_faces(faces.train, side), kept_variance)
    calibration, scores = fitted(content, metadata.labels, side, faces)
    earlier = metadata.provenance
    provenance = earlier | {
        "data": earlier.get("data", {}) | {"valid": described(faces.valid)},
        "scores": scores,
        "quantized": "static, 8 bits",
        "kept_variance": min(kept_variance, earlier.get("kept_variance", 1)),
    }
    metadata = dataclasses.replace(metadata, calibration=calibration, provenance=provenance)
    write_model(content, metadata, path)


def quantized(content: bytes, faces: Images, kept_variance: float) -> bytes:
    """An ONNX network with its kernels in eight bits; ranges from faces (N, S, S)."""
    # Imported late: mien.sessions has to come first.
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = input_batches(faces)

        def get_next(self) -> dict[str, Images] | None:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        given, single, small = (Path(folder) / name for name in ("given", "single", "small"))
        given.write_bytes(content)
        quant_pre_process(given, single, skip_symbolic_shape=True)
        onnx.save(factorised(onnx.load(single), faces, kept_variance), single)
        # Kernels without a sign: with one, processors without VNNI would saturate.
        quantize_static(
            *(single, small, Reader()),
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QUInt8,
        )
        network = onnx.load(small)
    del network.metadata_props[:]
    share_zero_points(network)
    return bytes(network.SerializeToString())


def share_zero_points(network: onnx.ModelProto) -> None:
    """Give channels whose weights are all zero the zero point of their kernel's other channels.

    The quantiser gives them another, and ONNX Runtime before 1.28 runs no kernel that has two.
    """
    stored = {one.name: one for one in network.graph.initializer}
    for name in [name for name in stored if name.endswith("_quantized")]:
        if len(stored[name].dims) != 4:
            continue
        pair = stored[name], stored[name.replace("_quantized", "_zero_point")]
        weights, zeros = (numpy_helper.to_array(one).copy() for one in pair)
        unused = (weights == zeros[:, None, None, None]).all(axis=(1, 2, 3))
        if unused.any():
            weights[unused] = zeros[unused] = zeros.max()
            for one, values in zip(pair, (weights, zeros), strict=True):
                one.CopyFrom(numpy_helper.from_array(values, one.name))
