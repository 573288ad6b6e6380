"""The network: grey faces in the canonical frame to logits and embeddings."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

#: Larger calls are cut into batches of this size, to bound the memory that the network takes.
LARGEST_BATCH = 64


class Classification(NamedTuple):
    """Logits float32 (N, C) and embedding float32 (N, D)."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]


def classify(session: "onnxruntime.InferenceSession", faces: NDArray[np.uint8]) -> Classification:
    """Run the network on faces uint8 (N, S, S)."""
    batches = [
        faces[start : start + LARGEST_BATCH]
        for start in range(0, max(len(faces), 1), LARGEST_BATCH)
    ]
    outputs = [session.run(["logits", "embedding"], {"faces": batch}) for batch in batches]
    if len(outputs) == 1:
        return Classification(*outputs[0])
    logits, embedding = zip(*outputs, strict=True)
    return Classification(np.concatenate(logits), np.concatenate(embedding))
