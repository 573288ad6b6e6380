"""Finding faces by MTCNN, for those who have it in use; what it needs comes with `mien[mtcnn]`.

Source: Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", arXiv 1604.02878. Networks and weights are those of the package
`facenet-pytorch` (MIT).
"""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mien.detection import LARGEST_ENLARGEMENT, check_min_face_size, is_score
from mien.errors import ConfigError
from mien.results import DetectedFace
from mien.sessions import DEVICES

#: What `facenet-pytorch` takes where nothing else is said.
MIN_FACE_SIZE = 20
THRESHOLDS = (0.6, 0.7, 0.7)

#: Side of the window in which the first network looks for a face, in pixels.
WINDOW = 12


class MTCNN:
    """The three networks of MTCNN, with five landmarks a face.

    Args:
        min_face_size: the smallest face to find, in pixels of the frame; 20 if None. The time
            grows with the frame's area over the square of it. No frame is enlarged more than
            fourfold, so nothing below 3 finds more.
        thresholds: the least score at each of the three networks; faces with a lower one are left
            out.
        device: "cpu", "cuda", or "auto" for CUDA where PyTorch finds it.

    Raises:
        ConfigError: an option is out of range, there is no such device here, or
            `facenet-pytorch` is missing or does not load.
    """

    def __init__(
        self,
        min_face_size: float | None = None,
        thresholds: Sequence[float] = THRESHOLDS,
        device: str = "cpu",
    ) -> None:
        check_min_face_size(min_face_size)
        each = list(thresholds) if isinstance(thresholds, Iterable) else []
        if len(each) != 3 or not all(map(is_score, each)):
            raise ConfigError(f"thresholds is {thresholds!r}, expected three numbers from 0 to 1")
        smallest = MIN_FACE_SIZE if min_face_size is None else min_face_size
        self._min_face_size = max(smallest, WINDOW / LARGEST_ENLARGEMENT)
        self._networks = _facenet_pytorch().MTCNN(
            min_face_size=self._min_face_size,
            thresholds=each,
            device=_torch_device(device),
        )

    def detect(self, frame_rgb: NDArray[np.uint8]) -> list[DetectedFace]:
        """Find the faces of a frame (H, W, 3)."""
        if min(frame_rgb.shape[:2]) * (WINDOW / self._min_face_size) < WINDOW:
            return []  # where no window fits, facenet-pytorch fails; this is its arithmetic
        boxes, scores, landmarks = self._networks.detect(frame_rgb, landmarks=True)
        if boxes is None:
            return []
        return [
            DetectedFace(
                _box(*map(float, corners)), float(score), np.asarray(points, dtype=np.float64)
            )
            for corners, score, points in zip(boxes, scores, landmarks, strict=True)
        ]


def _box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """x, y, width, height from corners, whose pixels count from one and belong to the box."""
    return left - 1, top - 1, right - left + 1, bottom - top + 1


def _facenet_pytorch() -> ModuleType:
    if find_spec("facenet_pytorch") is None:
        raise ConfigError(
            "MTCNN needs facenet-pytorch, which is not installed: pip install 'mien[mtcnn]'"
        )
    try:
        import facenet_pytorch
    except (ImportError, RuntimeError) as error:  # torchvision raises either
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(
            f"facenet-pytorch does not load: {reason}; torch and torchvision must be builds that "
            "belong together"
        ) from None
    module: ModuleType = facenet_pytorch
    return module


def _torch_device(device: str) -> str:
    if device not in DEVICES:
        raise ConfigError(f"device is {device!r}, expected one of {', '.join(DEVICES)}")
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ConfigError("device is 'cuda', but this PyTorch finds none")
    return "cpu"
