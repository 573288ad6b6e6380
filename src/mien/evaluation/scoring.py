"""Running the network of a model file over a face set."""

import numpy as np
from numpy.typing import NDArray

from mien import alignment
from mien.classification import Classification, classify
from mien.datasets.faces import FaceSet
from mien.model_file import ModelFile


def classify_faces(model: ModelFile, faces: FaceSet) -> Classification:
    """Logits and embeddings of all faces, each taken whole."""
    return classify(model.session, network_faces(faces, model.metadata.input_size))


def network_faces(faces: FaceSet, side: int) -> NDArray[np.uint8]:
    """The faces of a set as the network takes them: grey (N, side, side)."""
    return np.stack([alignment.whole(face, side) for face in faces.grey()])
