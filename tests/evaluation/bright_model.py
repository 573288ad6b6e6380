"""A model that answers by a face's brightness, and faces of one brightness each."""

import csv
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from mien.labels import VOTE_COLUMNS
from mien.model_file import CalibrationParameters, ModelFile, ModelMetadata

LABELS = ("happiness", "neutral")  # not in the order of FER+, and only two of its classes


class Session:
    """Answers by a face's brightness: its logit for happiness; 0 for neutral."""

    def run(
        self, _outputs: list[str], feeds: dict[str, NDArray[np.uint8]]
    ) -> list[NDArray[np.float32]]:
        happiness = feeds["faces"][:, 0, 0] - np.float32(100)
        logits = np.stack([happiness, np.zeros_like(happiness)], axis=1)
        return [logits, np.zeros((len(logits), 1), dtype=np.float32)]


def made_model(labels: tuple[str, ...] = LABELS) -> ModelFile:
    calibration = CalibrationParameters(
        temperature=2.0,
        candidate_threshold=0.1,
        likeness_weights=(1.0,),
        likeness_offset=0.0,
        most_uncertainty=0.9,
        least_likeness=0.5,
    )
    metadata = ModelMetadata(labels, 48, ((0.5, 0.5),) * 5, calibration, {})
    session = cast(onnxruntime.InferenceSession, Session())
    return ModelFile("models/<mine>.onnx", session, metadata)


def write_split(folder: Path, faces: list[tuple[str, int, dict[str, int]]]) -> None:
    """Write faces of one brightness each, and their votes."""
    folder.mkdir()
    with (folder / "label.csv").open("w", newline="") as file:
        for name, brightness, votes in faces:
            Image.new("L", (48, 48), brightness).save(folder / name)
            counts = [votes.get(column, 0) for column in VOTE_COLUMNS]
            csv.writer(file).writerow([name, "(0, 0, 48, 48)", *counts])
