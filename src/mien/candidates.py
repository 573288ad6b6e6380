"""What a detector takes for faces before it has decided."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Boxes that overlap more, by intersection over union, are of one face.
OVERLAP_THRESHOLD = 0.4


class Candidates(NamedTuple):
    """Faces that may be one and the same, in frame pixels.

    Boxes (N, 4) as x, y, width, height, scores (N,) and landmarks (N, 5, 2).
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    @property
    def sides(self) -> Floats:
        """The longer side of each box (N,)."""
        return np.asarray(self.boxes[:, 2:].max(axis=1))

    @property
    def areas(self) -> Floats:
        """The area of each box (N,)."""
        return np.asarray(self.boxes[:, 2:].prod(axis=1))

    @property
    def centres(self) -> Floats:
        """The centre of each box (N, 2)."""
        return self.boxes[:, :2] + self.boxes[:, 2:] / 2

    def select(self, rows: Mask) -> "Candidates":
        """The candidates that `rows` (N,) picks."""
        return Candidates._make(values[rows] for values in self)

    def moved(self, x: float, y: float) -> "Candidates":
        """Candidates of a part of a frame, in the frame."""
        boxes, scores, landmarks = self
        return Candidates(boxes + np.array([x, y, 0, 0]), scores, landmarks + np.array([x, y]))

    def best(self) -> "Candidates":
        """The best of every group that overlaps, most likely first."""
        if len(self.scores) < 2:
            return self
        boxes, scores = self.boxes.tolist(), self.scores.tolist()
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes, scores, 0.0, OVERLAP_THRESHOLD))
        return Candidates._make(values[kept] for values in self)

    def lie_in(self, others: "Candidates") -> Mask:
        """Whether the centres of N boxes lie in each of M others (N, M)."""
        corners, ends = others.boxes[:, :2], others.boxes[:, :2] + others.boxes[:, 2:]
        centres = self.centres[:, None]
        return np.asarray(((corners <= centres) & (centres <= ends)).all(axis=2))

    def overlaps(self, box: Sequence[float]) -> Floats:
        """Intersection over union of each box (N,) with another one."""
        x, y, width, height = box
        low = np.maximum(self.boxes[:, :2], [x, y])
        high = np.minimum(self.boxes[:, :2] + self.boxes[:, 2:], [x + width, y + height])
        common = np.maximum(high - low, 0).prod(axis=1)
        return np.asarray(common / (self.areas + width * height - common))

    def without_pieces(self, large: "Candidates") -> "Candidates":
        """Those whose centre lies in no large face that is surer."""
        is_piece = self.lie_in(large) & (large.scores > self.scores[:, None])
        return self.select(np.asarray(~is_piece.any(axis=1)))


def joined(*some: Candidates) -> Candidates:
    """All candidates of several looks."""
    return Candidates(*map(np.concatenate, zip(*some, strict=True)))
