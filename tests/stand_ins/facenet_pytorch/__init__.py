"""Stands in for `facenet-pytorch` where it is not installed: its call, and one face a frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Found = NDArray[np.object_]


class MTCNN:
    """Finds the astronaut's face, wherever that would be in a frame; none in a plain frame."""

    def __init__(
        self,
        image_size: int = 160,
        margin: int = 0,
        min_face_size: float = 20,
        thresholds: Any = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        post_process: bool = True,
        select_largest: bool = True,
        selection_method: str | None = None,
        keep_all: bool = False,
        device: Any = None,
    ) -> None:
        self.min_face_size = min_face_size
        self.thresholds = thresholds

    def detect(
        self, img: NDArray[np.uint8], landmarks: bool = False
    ) -> tuple[Found | None, Found | list[None], Found | None]:
        assert landmarks
        height, width = img.shape[:2]
        if min(height, width) * (12.0 / self.min_face_size) < 12:
            raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
        scale, score = np.array([width, height]) / 512, 0.997
        box = np.array([[174, 60], [271, 180]]) * scale
        size = box[1, 1] - box[0, 1]
        if img.std() == 0 or score < max(self.thresholds) or size < self.min_face_size:
            return None, [None], None
        points = np.array([[(203, 101), (246, 103), (224, 128), (203, 140), (247, 139)]]) * scale
        return box.reshape(1, 4).astype(object), np.array([score], object), points.astype(object)
