"""Facial emotion recognition, frame by frame.

    from mien import EmotionRecognition
    er = EmotionRecognition(device="cpu")
    faces = er.run(frame)

Names are loaded when they are first used: importing mien does nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.detection import Detector
    from mien.errors import (
        ConfigError,
        DataError,
        ImageError,
        MienError,
        ModelError,
        SourceError,
    )
    from mien.recognition import EmotionRecognition
    from mien.results import DetectedFace, FaceAnswer, FaceResult, TrackedFace
    from mien.streaming import StreamFrame

__version__ = "0.1.0"

_HOMES = {
    "EmotionRecognition": "mien.recognition",
    "DetectedFace": "mien.results",
    "Detector": "mien.detection",
    "FaceAnswer": "mien.results",
    "FaceResult": "mien.results",
    "TrackedFace": "mien.results",
    "StreamFrame": "mien.streaming",
    "MienError": "mien.errors",
    "ImageError": "mien.errors",
    "ModelError": "mien.errors",
    "DataError": "mien.errors",
    "ConfigError": "mien.errors",
    "SourceError": "mien.errors",
}

__all__ = [
    "ConfigError",
    "DataError",
    "DetectedFace",
    "Detector",
    "EmotionRecognition",
    "FaceAnswer",
    "FaceResult",
    "ImageError",
    "MienError",
    "ModelError",
    "SourceError",
    "StreamFrame",
    "TrackedFace",
]


if not TYPE_CHECKING:  # to type checkers, every name would be there

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'mien' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
