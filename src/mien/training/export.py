"""From a training run to a model file."""

import datetime
import logging
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

import mien
from mien.alignment import CANONICAL_LANDMARKS
from mien.classification import Classification, classify
from mien.datasets.faces import FaceSet
from mien.datasets.votes import majority_places
from mien.errors import DataError
from mien.evaluation.fitting import calibration_faces, calibration_half, fit_calibration
from mien.evaluation.not_faces import made_not_faces
from mien.evaluation.scoring import network_faces
from mien.files import replacing
from mien.model_file import METADATA_KEY, CalibrationParameters, ModelMetadata
from mien.sessions import create_session
from mien.training.config import TrainingConfig
from mien.training.data import NONE_TO_SCORE_BY
from mien.training.faces import TrainingFaces
from mien.training.folding import AFTER, folded
from mien.training.low_rank import check_kept_variance, factorised, sample_faces
from mien.training.run import TrainingRun

OPSET = 18
NOT_FACES = 3000


class DeployedNetwork(nn.Module):
    """A network as the model file holds it: uint8 faces in, normalisation inside.

    Batch normalisation is folded into the kernels before it, and kernels and matrices are rounded
    to half precision, in which the file keeps them; it computes in single precision.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = folded(network).requires_grad_(False)
        self.eval()
        for parameter in self.network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half().float())

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Faces uint8 (N, S, S) to logits (N, C) and embedding (N, D)."""
        logits, embedding = self.network(faces.unsqueeze(1).float() / 255)
        return logits, embedding


def export(run: TrainingRun, faces: TrainingFaces, path: Path, kept_variance: float = 1.0) -> None:
    """Write the averaged network of a run as a model file, calibrated on half of `faces.valid`.

    Args:
        run: the training.
        faces: what it learnt from, and what it is calibrated on.
        path: the file to write.
        kept_variance: see `mien.training.low_rank.factorised`.

    Raises:
        ConfigError: the share is out of range.
        DataError: too few faces of `faces.valid` have a label to calibrate on or to score by.
        ModelError: what the network answers are no finite numbers.
    """
    check_kept_variance(kept_variance)
    labels, side = run.config.labels, run.config.input_size
    network = onnx_network(DeployedNetwork(run.average), side)
    content = in_half(factorised(network, sample_faces(faces.train, side), kept_variance))
    calibration, scores = fitted(content, labels, side, faces)
    provenance = _provenance(run, faces) | {"scores": scores, "kept_variance": kept_variance}
    metadata = ModelMetadata(labels, side, CANONICAL_LANDMARKS, calibration, provenance)
    write_model(content, metadata, path)


def fitted(
    content: bytes, labels: tuple[str, ...], side: int, faces: TrainingFaces
) -> tuple[CalibrationParameters, dict[str, float]]:
    """Calibration of a network from one half of `faces.valid`, and its scores on the other.

    Raises:
        DataError: too few faces of `faces.valid` have a label to calibrate on or to score by.
        ModelError: what the network answers are no finite numbers.
    """
    valid = faces.valid
    truth = np.concatenate([majority_places(one.votes, one.labels, labels) for one in valid])
    cuts = np.concatenate([network_faces(one, side) for one in valid])
    fitted_on = np.concatenate([calibration_faces(faces.train, one) for one in valid])
    chosen_by = ~np.concatenate([calibration_half(one) for one in valid]) & (truth >= 0)
    if not chosen_by.any():
        raise DataError(NONE_TO_SCORE_BY)
    session = create_session(content)
    outputs = classify(session, cuts)
    right = outputs.logits[chosen_by].argmax(axis=1) == truth[chosen_by]
    calibration = fit_calibration(
        Classification(outputs.logits[fitted_on], outputs.embedding[fitted_on]),
        truth[fitted_on],
        classify(session, made_not_faces(cuts[fitted_on], NOT_FACES)),
    )
    return calibration, {
        "valid_accuracy": float(right.mean()),
        "valid_faces": int(chosen_by.sum()),
    }


def write_model(content: bytes, metadata: ModelMetadata, path: Path) -> None:
    """Write a network with its metadata; a file that was there stays whole until this one is."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(model.SerializeToString())


def onnx_network(network: DeployedNetwork, side: int) -> onnx.ModelProto:
    """The network as ONNX, in single precision."""
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, side, side, dtype=torch.uint8),),
            input_names=["faces"],
            output_names=["logits", "embedding"],
            dynamic_shapes={"faces": {0: "N"}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # it is None only when a file is named
    return program.model_proto


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without the exporter's remarks on packages that are not installed and on its own code."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`isinstance\\(treespec", FutureWarning)
            yield
    finally:
        log.setLevel(before)


def in_half(model: onnx.ModelProto) -> bytes:
    """An ONNX file of a network, its kernels and matrices stored in half precision.

    They are cast back as the file is loaded.
    """
    graph, casts = model.graph, []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.ndim < 2:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + AFTER))
        casts.append(
            onnx.helper.make_node("Cast", [name + AFTER], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _provenance(run: TrainingRun, faces: TrainingFaces) -> dict[str, Any]:
    return {
        "mien": mien.__version__,
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "data": {"train": described(faces.train), "valid": described(faces.valid)},
        "protocol": "strict majority; scores on the half of valid not used for calibration",
        "steps": run.step,
        "epochs_done": len(run.history),
        "settings": run.config.to_dict() | _names(run.config),
        "teacher_digests": run.teacher_digests,
        "initial_digest": run.initial_digest,
        "changes": run.changes,
    }


def described(sets: Sequence[FaceSet]) -> dict[str, Any]:
    """What a model file says of the faces of a split: how many, and by whose votes.

    Of several sets it says that of each by itself too.
    """
    told: dict[str, Any] = {
        "faces": sum(map(len, sets)),
        "votes": "; ".join(dict.fromkeys(one.edition for one in sets)),
    }
    if len(sets) > 1:
        told["sets"] = [described([one]) for one in sets]
    return told


def _names(config: TrainingConfig) -> dict[str, Any]:
    """Teachers and first weights without the folders of the machine they lay on."""
    return {
        "teacher": [Path(one).name for one in config.teacher],
        "initial_weights": Path(config.initial_weights).name,
    }


def _commit() -> str | None:
    """The last commit of this package's source, if it runs from a checkout of it."""
    command = ["git", "-C", str(Path(mien.__file__).parent), "log", "-1", "--format=%H", "--", "."]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
