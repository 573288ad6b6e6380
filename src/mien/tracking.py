"""Which face is whose, from frame to frame.

Every face followed has a motion model (constant velocity, Kalman 1960) and a memory of what it
looked like in the canonical frame; faces of a new frame are assigned to it so that motion and
look together fit best (Kuhn 1955). What fits is measured by minus the log of a likelihood, so that
a face whose place has become uncertain does not take the place of one that is sure.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

Box = Sequence[float]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]

#: A face that is looked for in vain for so long, in seconds, is somebody new when it comes back.
PATIENCE_S = 1.5
#: A motion is expected to last so long, in seconds, if nobody looks in between.
LONGEST_MOTION_S = 1.0
#: Deviations of a measured place, of that of a face all covered, and of the acceleration in a
#: second, in sides of the face.
PLACE_DEVIATION, COVER_DEVIATION, ACCELERATION = 0.05, 0.3, 4.0
#: No more than this is put on the cost of a place for how uncertain it is.
LONGEST_DOUBT = 5.0
#: A face may be so many deviations away from where it is expected, and so many times larger.
FARTHEST_DEVIATIONS, LARGEST_RATIO = 4.0, 2.0
#: What a look without any likeness costs, and a second in which a face was looked for in vain
#: though nobody stood before it; a worse sum than the last, with the place's, is somebody else.
LOOK_WEIGHT, ABSENCE_WEIGHT, WORST_COST = 12.0, 2.0, 11.0
#: Where the scene changes, a face must be so much like the last one at its place to be the same:
#: of two strangers one in a hundred pairs is.
SCENE_LIKENESS = 0.6
#: The part of a cut that is face whatever its shape: rows from brow to lip, columns of the eyes.
INSIDE = ((1 / 6, 11 / 12), (1 / 6, 5 / 6))
#: Side of the small picture that is remembered, and how fast it follows.
LOOK_SIDE, LOOK_SHARE = 24, 0.15
#: A face that another one covers by more than this share is not learnt from.
LARGEST_COVER = 0.15


@dataclass(eq=False)
class Track:
    """One face that is followed.

    Attributes:
        track_id: its number, from 1 on.
        centre: where it was last expected or seen, in pixels (2,).
        velocity: in pixels a second (2,).
        side: square root of the box's area, in pixels.
        look: what it looks like, of mean 0 and length 1.
        seen_s: when it was seen last.
        absent_s: for how long it was looked for since then though nobody stood before it.
        spread: covariance (2, 2) of place and velocity, the same along x and y.
    """

    track_id: int
    centre: Floats
    side: float
    look: Floats
    seen_s: float
    absent_s: float = 0.0
    velocity: Floats = field(default_factory=lambda: np.zeros(2))
    spread: Floats = field(init=False)

    def __post_init__(self) -> None:
        speed = self.side * ACCELERATION / 2
        self.spread = np.diag([(PLACE_DEVIATION * self.side) ** 2, speed**2])

    def move_on(self, seconds: float) -> None:
        """Expect it where its motion takes it; in a long time no farther than in a short one."""
        moving_s = min(seconds, LONGEST_MOTION_S)
        if moving_s < seconds:
            slower = np.array([1.0, moving_s / seconds])
            self.velocity = self.velocity * slower[1]
            self.spread = self.spread * np.outer(slower, slower)
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        shake = moving_s**2 / 2 * np.array([1.0, 2 / max(seconds, 1e-9)]) * ACCELERATION * self.side
        self.centre = self.centre + seconds * self.velocity
        self.spread = step @ self.spread @ step.T + np.outer(shake, shake)

    def see(self, centre: Floats, side: float, cover: float) -> None:
        """Correct place and motion by a sight of it."""
        error = _place_variance(self.side, cover)
        gain = self.spread[:, 0] / (self.spread[0, 0] + error)
        miss = centre - self.centre
        self.centre = self.centre + gain[0] * miss
        self.velocity = self.velocity + gain[1] * miss
        self.spread = self.spread - np.outer(gain, self.spread[0])
        self.side += 0.5 * (side - self.side)

    def reached(self, centres: Floats, sides: Floats) -> Places:
        """Those of N faces, at centres (N, 2), that are near enough, however much covers them."""
        covered = (PLACE_DEVIATION + COVER_DEVIATION) * np.maximum(sides, self.side)
        squares = ((centres - self.centre) ** 2).sum(axis=1)
        return np.flatnonzero(squares <= FARTHEST_DEVIATIONS**2 * (self.spread[0, 0] + covered**2))

    def surprise(self, centre: Floats, side: float, cover: float) -> float:
        """How unlikely a face is there: minus the log of a density that is 1 for what is sure."""
        variance = float(self.spread[0, 0]) + _place_variance(max(side, self.side), cover)
        distance = float(np.hypot(*(centre - self.centre)))
        if distance**2 > FARTHEST_DEVIATIONS**2 * variance:
            return float("inf")
        sharpest = _place_variance(self.side, 0.0)
        return distance**2 / (2 * variance) + min(LONGEST_DOUBT, math.log(variance / sharpest))


class Tracker:
    """Numbers faces so that a person keeps the number."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._numbers = count(1)
        self._now_s: float | None = None

    def update(
        self,
        boxes: Sequence[Box],
        cuts: Sequence[NDArray[np.uint8]],
        time_s: float,
        is_new_scene: bool = False,
    ) -> list[int]:
        """The numbers of the faces of a frame.

        Args:
            boxes: x, y, width and height of every face, in pixels.
            cuts: the same faces in the canonical frame, each (S, S) grey.
            time_s: when the frame is shown; never earlier than the frame before.
            is_new_scene: whether the film has cut to another scene since the frame before, in which
                somebody else may be where a face was.
        """
        before_s = time_s if self._now_s is None else self._now_s
        elapsed = max(0.0, time_s - before_s)
        self._now_s = time_s
        self._tracks = [
            one
            for one in self._tracks
            if one.seen_s >= before_s or time_s - one.seen_s <= PATIENCE_S
        ]
        for track in self._tracks:
            track.move_on(elapsed)
        corners, sizes = np.array(boxes, dtype=np.float64).reshape(-1, 2, 2).swapaxes(0, 1)
        centres, sides = corners + sizes / 2, np.sqrt(sizes.prod(axis=1))
        looks = [look_of(cut) for cut in cuts]
        covers = _covers(boxes)
        cost = np.full((len(self._tracks), len(boxes)), np.inf)
        for row, track in enumerate(self._tracks):
            for column in track.reached(centres, sides):
                if is_new_scene and looks[column] @ track.look < SCENE_LIKENESS:
                    continue
                cost[row, column] = _cost(
                    track, centres[column], float(sides[column]), looks[column], covers[column]
                )
        owners: list[Track | None] = [None] * len(boxes)
        for row, column in assign(cost, WORST_COST):
            owners[column] = self._tracks[row]
        for track in self._tracks:
            if track not in owners and not _is_hidden(track, boxes):
                track.absent_s += elapsed
        return [
            self._followed(owners[place], centres[place], float(sides[place]), looks[place], cover)
            for place, cover in enumerate(covers)
        ]

    def velocity(self, track_id: int) -> Floats:
        """How a face moves, in pixels a second (2,)."""
        return next(one.velocity for one in self._tracks if one.track_id == track_id)

    def _followed(
        self, track: Track | None, centre: Floats, side: float, look: Floats, cover: float
    ) -> int:
        assert self._now_s is not None
        if track is None:
            track = Track(next(self._numbers), centre, side, look, self._now_s)
            self._tracks.append(track)
        else:
            track.see(centre, side, cover)
            track.seen_s, track.absent_s = self._now_s, 0.0
            if cover <= LARGEST_COVER:
                mixed = track.look + LOOK_SHARE * (look - track.look)
                track.look = mixed / max(float(np.linalg.norm(mixed)), 1e-9)
        return track.track_id


def look_of(cut: NDArray[np.uint8]) -> Floats:
    """The inside of a cut (S, S), as a small vector of mean 0 and length 1.

    So light and contrast are taken out, and with the border what is behind the face.
    """
    rows, columns = (slice(*(round(part * len(cut)) for part in parts)) for parts in INSIDE)
    small = cv2.resize(cut[rows, columns], (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA)
    values = np.asarray(small, dtype=np.float64).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-9)


def assign(cost: Floats, worst: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost; a pair worse than `worst` is never made.

    Leaving a row or a column alone costs half of `worst`.
    """
    return [
        (int(rows[row]), int(columns[column]))
        for rows, columns in _groups(cost <= worst)
        for row, column in _assigned(cost[np.ix_(rows, columns)], worst)
    ]


def _groups(is_possible: NDArray[np.bool_]) -> Iterator[tuple[Places, Places]]:
    """Rows and columns that possible pairs join, if only by way of others."""
    is_left = is_possible.any(axis=1)
    while is_left.any():
        rows = is_possible[:, is_possible[is_left.argmax()]].any(axis=1)
        while (
            more := is_possible[:, is_possible[rows].any(axis=0)].any(axis=1)
        ).sum() > rows.sum():
            rows = more
        is_left &= ~rows
        yield np.flatnonzero(rows), np.flatnonzero(is_possible[rows].any(axis=0))


def _assigned(cost: Floats, worst: float) -> list[tuple[int, int]]:
    """As `assign`, for rows and columns of one group."""
    rows, columns = cost.shape
    size = rows + columns
    square = np.full((size, size), worst / 2)
    square[:rows, :columns] = np.where(cost <= worst, cost, 1e6)
    square[rows:, columns:] = 0.0
    return [
        (row, column)
        for row, column in enumerate(_cheapest_columns(square))
        if row < rows and column < columns and cost[row, column] <= worst
    ]


def _cheapest_columns(cost: Floats) -> list[int]:
    """The column of each row in the assignment of least cost, by shortest augmenting paths."""
    size = len(cost)
    row_price, column_price = np.zeros(size + 1), np.zeros(size + 1)
    owner = np.zeros(size + 1, dtype=np.int64)  # of each column, counted from 1; 0: nobody
    for row in range(1, size + 1):
        owner[0], column = row, 0
        least = np.full(size + 1, np.inf)
        before = np.zeros(size + 1, dtype=np.int64)
        seen = np.zeros(size + 1, dtype=bool)
        while owner[column]:
            seen[column] = True
            here = owner[column]
            gain = cost[here - 1] - row_price[here] - column_price[1:]
            better = ~seen[1:] & (gain < least[1:])
            least[1:][better], before[1:][better] = gain[better], column
            open_least = np.where(seen, np.inf, least)
            open_least[0] = np.inf
            following = int(open_least.argmin())
            step = open_least[following]
            row_price[owner[seen]] += step
            column_price[seen] -= step
            least[~seen] -= step
            column = following
        while column:
            owner[column] = owner[before[column]]
            column = int(before[column])
    columns = np.zeros(size, dtype=np.int64)
    columns[owner[1:] - 1] = np.arange(size)
    return columns.tolist()


def _cost(track: Track, centre: Floats, side: float, look: Floats, cover: float) -> float:
    if max(side / track.side, track.side / side) > LARGEST_RATIO:
        return float("inf")
    strangeness = (1 - cover) * (1 - float(look @ track.look))
    place = track.surprise(centre, side, cover)
    return place + LOOK_WEIGHT * strangeness + ABSENCE_WEIGHT * track.absent_s


def _is_hidden(track: Track, boxes: Sequence[Box]) -> bool:
    """Whether somebody may stand before it."""
    corner = track.centre - track.side / 2
    expected = (*corner.tolist(), track.side, track.side)
    return any(_cover(expected, box) > LARGEST_COVER for box in boxes)


def _place_variance(side: float, cover: float) -> float:
    """How sure a measured place is: the box of a face that is partly covered is shifted."""
    return ((PLACE_DEVIATION + COVER_DEVIATION * cover) * side) ** 2


def _covers(boxes: Sequence[Box]) -> list[float]:
    """The share of every box that another one covers at most."""
    return [
        max((_cover(box, other) for other in boxes if other is not box), default=0.0)
        for box in boxes
    ]


def _cover(box: Box, other: Box) -> float:
    """The share of a box that another one covers."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    return max(0.0, width) * max(0.0, height) / (box[2] * box[3])
