"""The network: grey faces in the canonical frame to logits and embeddings."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime

#: Larger calls are cut into batches of this size, to bound the memory that the network takes.
LARGEST_BATCH = 64


class Classification(NamedTuple):
    """Logits float32 (N, C) and embedding float32 (N, D)."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]


def classify(session: "onnxruntime.InferenceSession", faces: NDArray[np.uint8]) -> Classification:
    """Run the network on faces uint8 (N, S, S).

    Raises:
        ModelError: it can't be computed, or its answers are no finite numbers for every face.
    """
    batches = [
        faces[start : start + LARGEST_BATCH]
        for start in range(0, max(len(faces), 1), LARGEST_BATCH)
    ]
    outputs = [_answers(session, batch) for batch in batches]
    return Classification(*map(np.concatenate, zip(*outputs, strict=True)))


def _answers(session: "onnxruntime.InferenceSession", faces: NDArray[np.uint8]) -> Classification:
    try:
        answers = Classification(*session.run(["logits", "embedding"], {"faces": faces}))
    except Exception as error:  # ONNX Runtime raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the model can't be computed ({reason})") from error
    for name, values in zip(answers._fields, answers, strict=True):
        if len(values) != len(faces):
            raise ModelError(
                f"the model gives {len(values)} rows of {name}, expected {len(faces)}, one a face"
            )
        if not np.isfinite(values).all():
            raise ModelError(
                f"the model gives {name} that are no finite numbers; its training may have diverged"
            )
    return answers
