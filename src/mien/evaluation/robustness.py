"""How a model's answers stand changes of the picture.

Every change is made once to every face, with its own seed. Where a change moves the border of the
picture inward, the border is repeated.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.classification import Classification
from mien.datasets.faces import FaceSet
from mien.evaluation.certainty import Answers
from mien.evaluation.metrics import Share, area_under_roc, share
from mien.evaluation.plain import Portion
from mien.evaluation.scoring import classify_faces
from mien.model_file import ModelFile

Image = NDArray[np.uint8]
Integers = NDArray[np.int64]
Generator = np.random.Generator

#: The middle strength of CIFAR-10-C (Hendrycks, Dietterich 2019, arXiv 1903.12261): 0.08 of 255.
NOISE_DEVIATION = 20.0
#: The strongest blur of CIFAR-10-C, in pixels.
BLUR_DEVIATION = 1.0


@dataclass(frozen=True)
class ChangeScores:
    """How well faces are answered that are changed in one way.

    Attributes:
        change: what was done to them, in words.
        keeps_face: whether the answers should stay; else they should become uncertain.
        accuracy: share of right answers.
        loss: accuracy on the unchanged faces less this one.
        uncertain: how many answers are marked as uncertain.
        accuracy_unless_uncertain: accuracy on the rest.
        likeness_auroc: area under the ROC curve of face likeness, between the unchanged faces and
            these.
    """

    change: str
    keeps_face: bool
    accuracy: Share
    loss: float
    uncertain: Share
    accuracy_unless_uncertain: Share
    likeness_auroc: Portion | None


@dataclass(frozen=True)
class ChangedFaces:
    """What a model says of N changed faces: its scores, its outputs, and face likeness (N,)."""

    scores: ChangeScores
    outputs: Classification
    face_likeness: NDArray[np.float64]


def measure_robustness(
    model: ModelFile,
    faces: FaceSet,
    labels: Integers,
    unchanged: Answers,
    on_change: Callable[[int, int], None] | None = None,
) -> tuple[ChangedFaces, ...]:
    """Change N faces with labels (N,) in every way, and measure the answers.

    Args:
        model: the model file.
        faces: the faces.
        labels: their labels, as indices into the model's classes.
        unchanged: the model's answers to them as they are.
        on_change: told after each change how many of how many are done.
    """
    calibration = model.metadata.calibration
    accuracy = unchanged.right(labels).mean()
    measured = []
    for seed, (name, change) in enumerate(CHANGES.items()):
        outputs = classify_faces(model, changed(faces, change, seed))
        answers = Answers.of(outputs, calibration)
        right = answers.right(labels)
        scores = ChangeScores(
            change=name,
            keeps_face=name not in LOSES_FACE,
            accuracy=share(right),
            loss=float(accuracy - right.mean()),
            uncertain=share(answers.is_uncertain),
            accuracy_unless_uncertain=share(right[~answers.is_uncertain]),
            likeness_auroc=area_under_roc(unchanged.face_likeness, answers.face_likeness),
        )
        measured.append(ChangedFaces(scores, outputs, answers.face_likeness))
        if on_change is not None:
            on_change(seed + 1, len(CHANGES))
    return tuple(measured)


def changed(faces: FaceSet, change: Callable[[Image, Generator], Image], seed: int) -> FaceSet:
    """The faces of a set, each changed once, in grey."""
    generator = np.random.default_rng(seed)
    images = np.array([change(face, generator) for face in faces.grey()])
    return dataclasses.replace(faces, images=images)


def _noise(face: Image, generator: Generator) -> Image:
    return _clipped(face + generator.normal(0, NOISE_DEVIATION, face.shape))


def _blur(face: Image, _generator: Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), BLUR_DEVIATION), dtype=np.uint8)


def _jpeg(face: Image, _generator: Generator) -> Image:
    file = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _darker(face: Image, _generator: Generator) -> Image:
    return _clipped(0.6 * face)


def _brighter(face: Image, _generator: Generator) -> Image:
    return _clipped(1.4 * face)


def _half_size(face: Image, _generator: Generator) -> Image:
    return _scaled(face, len(face) // 2)


def _covered(face: Image, generator: Generator) -> Image:
    """A square of one grey over a quarter of the face."""
    size = len(face) // 2
    top, left = generator.integers(0, len(face) - size + 1, 2)
    covered = face.copy()
    covered[top : top + size, left : left + size] = generator.integers(256)
    return covered


def _rotated(face: Image, generator: Generator) -> Image:
    return _moved(face, turn_degrees=20 * float(generator.choice([-1, 1])))


def _tighter(face: Image, _generator: Generator) -> Image:
    return _moved(face, scale=1 / 0.8)


def _looser(face: Image, _generator: Generator) -> Image:
    return _moved(face, scale=1 / 1.2)


def _shifted(face: Image, generator: Generator) -> Image:
    angle = generator.uniform(0, 2 * np.pi)
    return _moved(face, shift=0.1 * len(face) * np.array([np.cos(angle), np.sin(angle)]))


def _left_or_right(face: Image, generator: Generator) -> Image:
    half = face.shape[1] // 2
    return face[:, :half] if generator.random() < 0.5 else face[:, -half:]


def _upper_or_lower(face: Image, generator: Generator) -> Image:
    half = len(face) // 2
    return face[:half] if generator.random() < 0.5 else face[-half:]


def _tiny(face: Image, _generator: Generator) -> Image:
    return _scaled(face, 12)


CHANGES: dict[str, Callable[[Image, Generator], Image]] = {
    "Gaussian noise, deviation 20 of 255": _noise,
    "Gaussian blur, deviation 1 pixel": _blur,
    "JPEG at quality 20": _jpeg,
    "brightness -40 %": _darker,
    "brightness +40 %": _brighter,
    "half the size": _half_size,
    "a quarter covered by one grey": _covered,
    "rotated by 20 degrees": _rotated,
    "cut 20 % tighter": _tighter,
    "cut 20 % looser": _looser,
    "shifted by 10 %": _shifted,
    "left or right half alone": _left_or_right,
    "upper or lower half alone": _upper_or_lower,
    "12 pixels": _tiny,
}

#: Of these faces too little is left to name an emotion.
LOSES_FACE = ("left or right half alone", "upper or lower half alone", "12 pixels")


def _moved(
    face: Image,
    turn_degrees: float = 0,
    scale: float = 1,
    shift: NDArray[np.float64] | tuple[float, float] = (0, 0),
) -> Image:
    """A face turned and scaled about its centre, then shifted by pixels (x, y)."""
    centre = ((face.shape[1] - 1) / 2, (face.shape[0] - 1) / 2)
    move = np.asarray(cv2.getRotationMatrix2D(centre, turn_degrees, scale), dtype=np.float64)
    move[:, 2] += shift
    moved = cv2.warpAffine(face, move, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


def _scaled(face: Image, side: int) -> Image:
    scaled = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, dtype=np.uint8)


def _clipped(face: NDArray[np.floating]) -> Image:
    return np.asarray(face.round().clip(0, 255), dtype=np.uint8)
