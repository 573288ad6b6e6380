"""Frames in, frames with followed faces out, one after the other."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.decoding import Decoder, room_for
from mien.results import DetectedFace, FaceResult, TrackedFace
from mien.scenes import SceneCuts
from mien.smoothing import Smoother
from mien.sources import Source, TimedFrame
from mien.tracking import LONGEST_MOTION_S, Tracker
from mien.workers import Workers

Image = NDArray[np.uint8]

#: Frames at most that wait for their faces.
MOST_WAITING = 64
#: Frames at most whose faces are classified together: one in which they are looked for, and those
#: in which they are followed after it.
MOST_TOGETHER = 8


@dataclass(frozen=True, eq=False)
class StreamFrame:
    """One analysed frame.

    Attributes:
        number: its place in what is read of the source, from 0 on.
        image_rgb: the picture, RGB (H, W, 3).
        time_s: when it is shown, in seconds from the source's beginning.
        faces: one result per face, largest first, with `track_id`; where smoothing is on,
            `raw_emotions` are the probabilities before it.
    """

    number: int
    image_rgb: Image
    time_s: float
    faces: list[TrackedFace]

    @cached_property
    def frame(self) -> Image:
        """The picture as OpenCV has it, BGR (H, W, 3)."""
        return np.asarray(cv2.cvtColor(self.image_rgb, cv2.COLOR_RGB2BGR), dtype=np.uint8)


class FoundFaces(NamedTuple):
    """The faces of one frame.

    Attributes:
        faces: N faces.
        cuts: the same in the canonical frame, each (S, S) grey.
    """

    faces: list[DetectedFace]
    cuts: list[Image]


class Analysis(NamedTuple):
    """What the network says of the faces of one frame.

    Attributes:
        probability: (N, K).
        likeness: face likeness (N,).
    """

    probability: NDArray[np.float64]
    likeness: NDArray[np.float64]


class Analyst(Protocol):
    """What looks at frames."""

    def find(self, frame_rgb: Image) -> FoundFaces:
        """Find the faces of a frame."""
        ...

    def cut(self, frame_rgb: Image, faces: Sequence[DetectedFace]) -> list[Image]:
        """Given faces of a frame in the canonical frame, each (S, S) grey."""
        ...

    def classify(self, cuts: Sequence[Sequence[Image]]) -> list[Analysis]:
        """Classify the cuts of several frames together."""
        ...

    def describe(
        self,
        frame_rgb: Image,
        faces: Sequence[DetectedFace],
        probability: NDArray[np.float64],
        likeness: NDArray[np.float64],
    ) -> list[FaceResult]:
        """Results for N faces of a frame, by probabilities (N, K) and face likeness (N,)."""
        ...


class _Awaited(NamedTuple):
    """A frame that waits for its faces.

    Attributes:
        frame: the frame.
        job: the search for its faces; None where they are followed.
        is_new_scene: whether the film cuts to another scene there.
    """

    frame: TimedFrame
    job: Future[FoundFaces] | None
    is_new_scene: bool


#: Frames in their order.
_Waiting = deque[_Awaited]


def stream(
    analyst: Analyst, source: Source, detect_every: int, smoother: Smoother, workers: int
) -> Generator[StreamFrame, None, None]:
    """Analyse the frames of a source; the source is closed at the end, or when this is closed.

    Frames are decoded, and their faces found and classified, ahead of time in threads. Of a live
    source only the newest frame is taken. Where faces are not looked for, they are followed by
    their motion. They are looked for at every cut to another scene.
    """
    results = _results(analyst, source, detect_every, smoother, workers)
    next(results)  # a generator that has not begun could not close anything
    return cast("Generator[StreamFrame, None, None]", results)


def _results(
    analyst: Analyst, source: Source, detect_every: int, smoother: Smoother, workers: int
) -> Generator[StreamFrame | None, None, None]:
    """None to begin with, then what `stream` gives."""
    try:
        yield None
    except GeneratorExit:
        source.close()
        raise
    ahead = 0 if source.is_live else min(2 * workers * detect_every, MOST_WAITING)
    waiting: _Waiting = deque()
    pool = Workers(workers)
    follower = _Follower(analyst, smoother, pool)
    scenes = SceneCuts()
    shape: tuple[int, ...] = ()
    try:
        with Decoder(source) as decoder:
            for place, frame in enumerate(decoder.frames()):
                job = None
                is_cut = scenes.is_cut(frame.image_rgb, frame.time_s)
                if place % detect_every == 0 or is_cut or frame.image_rgb.shape != shape:
                    job = pool.submit(analyst.find, frame.image_rgb)
                shape = frame.image_rgb.shape
                waiting.append(_Awaited(frame, job, is_cut))
                room = room_for(ahead, frame)
                while waiting and (len(waiting) > room or _is_ready(waiting)):
                    follower.follow(waiting)
                yield from follower.results(min(room, 2 * MOST_TOGETHER))
            while waiting:
                follower.follow(waiting)
                yield from follower.results(0)
            decoder.raise_error()
    except Exception:
        if not follower.is_left:
            yield from follower.results(0)  # what was done before it went wrong
        raise
    finally:
        pool.close()


def _is_ready(waiting: _Waiting) -> bool:
    """Whether the first frame's faces are found, and all is there that is followed with it."""
    first = waiting[0].job
    if first is not None and not first.done():
        return False
    others = list(waiting)[1:]
    return len(others) >= MOST_TOGETHER or any(one.job is not None for one in others)


class _Followed(NamedTuple):
    """The faces of a frame, and their numbers.

    Attributes:
        frame: the frame.
        faces: its N faces.
        track_ids: their numbers.
        looked_s: when faces were looked for last.
        cuts: the faces in the canonical frame, each (S, S) grey, where they were looked for.
    """

    frame: TimedFrame
    faces: list[DetectedFace]
    track_ids: list[int]
    looked_s: float
    cuts: list[Image] | None = None


class _Numbered(NamedTuple):
    """Frames whose faces have numbers, and what is said about them."""

    frames: list[_Followed]
    job: Future[list[Analysis]]


class _Follower:
    """Numbers the faces of frames, one frame after the other.

    Attributes:
        is_left: whether a result has been given, and no other one asked for.
    """

    def __init__(self, analyst: Analyst, smoother: Smoother, pool: Workers) -> None:
        self._analyst, self._smoother, self._pool = analyst, smoother, pool
        self._tracker = Tracker()
        self._last: _Followed | None = None
        self._numbered: deque[_Numbered] = deque()
        self.is_left = False

    def follow(self, waiting: _Waiting) -> None:
        """Take the first frame, and with it those that are followed after it."""
        frames = [self._next(waiting.popleft())]
        while waiting and waiting[0].job is None and len(frames) < MOST_TOGETHER:
            frames.append(self._next(waiting.popleft()))
        self._numbered.append(_Numbered(frames, self._pool.submit(self._classified, frames)))

    def _next(self, awaited: _Awaited) -> _Followed:
        """A frame's faces: those that were found, or those of the frame before, moved on."""
        frame, job, is_new_scene = awaited
        if job is not None:
            faces, cuts = job.result()
            boxes = [face.box for face in faces]
            ids = self._tracker.update(boxes, cuts, frame.time_s, is_new_scene)
            self._last = _Followed(frame, faces, ids, frame.time_s, cuts)
        else:
            assert self._last is not None  # the first frame's faces are looked for
            self._last = _moved(self._last, frame, self._tracker)
        return self._last

    def _classified(self, frames: Sequence[_Followed]) -> list[Analysis]:
        return self._analyst.classify(
            [
                one.cuts
                if one.cuts is not None
                else self._analyst.cut(one.frame.image_rgb, one.faces)
                for one in frames
            ]
        )

    def results(self, most_waiting: int) -> Iterator[StreamFrame]:
        """Frames that are done, and more where more frames than that wait."""
        while self._numbered:
            frames, job = self._numbered[0]
            count = sum(len(one.frames) for one in self._numbered)
            if count <= most_waiting and not job.done():
                return
            analyses = job.result()
            self._numbered.popleft()
            for one, analysis in zip(frames, analyses, strict=True):
                result = self._result(one, analysis)
                self.is_left = True
                yield result
                self.is_left = False

    def _result(self, followed: _Followed, analysis: Analysis) -> StreamFrame:
        frame, faces, track_ids, *_ = followed
        smoothed = self._smoother.update(track_ids, analysis.probability, frame.time_s)
        results = self._analyst.describe(frame.image_rgb, faces, smoothed, analysis.likeness)
        tracked = [
            cast("TrackedFace", {**face, "track_id": track_id})
            for face, track_id in zip(results, track_ids, strict=True)
        ]
        if smoothed is not analysis.probability:
            for face, raw in zip(tracked, analysis.probability.tolist(), strict=True):
                face["raw_emotions"] = dict(zip(face["emotions"], raw, strict=True))
        return StreamFrame(frame.number, frame.image_rgb, frame.time_s, tracked)


def _moved(last: _Followed, frame: TimedFrame, tracker: Tracker) -> _Followed:
    """The faces where their motion takes them; those that leave the frame are left out."""
    end_s = last.looked_s + LONGEST_MOTION_S
    elapsed = min(frame.time_s, end_s) - min(last.frame.time_s, end_s)
    height, width = frame.image_rgb.shape[:2]
    faces, track_ids = [], []
    for face, track_id in zip(last.faces, last.track_ids, strict=True):
        x, y, box_width, box_height = face.box
        shift = tracker.velocity(track_id) * elapsed
        across, down = shift.tolist()
        if 0 <= x + across + box_width / 2 < width and 0 <= y + down + box_height / 2 < height:
            landmarks = face.landmarks
            if landmarks is not None:
                landmarks = np.asarray(landmarks) + shift
            box = (x + across, y + down, box_width, box_height)
            faces.append(DetectedFace(box, face.score, landmarks))
            track_ids.append(track_id)
    return _Followed(frame, faces, track_ids, last.looked_s)
