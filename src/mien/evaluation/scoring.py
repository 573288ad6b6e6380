"""Running the network of a model file over a face set."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien import alignment
from mien.classification import Classification, classify
from mien.datasets.faces import FaceSet
from mien.images import to_grey
from mien.labels import EMOTIONS, emotion_columns
from mien.model_file import ModelFile


def classify_faces(model: ModelFile, faces: FaceSet) -> Classification:
    """Logits and embeddings of all faces, each taken whole."""
    return classify(model.session, network_faces(faces, model.metadata.input_size))


def network_faces(faces: FaceSet, side: int) -> NDArray[np.uint8]:
    """The faces of a set as the network takes them: grey (N, side, side)."""
    grey = faces.images if faces.images.ndim == 3 else map(to_grey, faces.images)
    return np.stack([alignment.whole(face, side) for face in grey])


def label_indices(labels: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int64]:
    """Labels (N,) in the order of FER+ as indices into `names`; -1 where there is none."""
    places = np.full(len(EMOTIONS) + 1, -1)  # -1 points to the last
    places[emotion_columns(names)] = np.arange(len(names))
    return places[labels]
