"""What keys do, on a made screen: it feeds them, and keeps what it is shown."""

import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien import SourceError
from mien.images import read_image
from mien.results import TrackedFace
from mien.streaming import StreamFrame
from mien.viewer import Viewer, while_wanted

Image = NDArray[np.uint8]
STEP_S = 0.1


class MadeScreen:
    """Keys are pressed by filling `keys`."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.pictures: list[Image] = []
        self.is_open = True

    def show(self, image_rgb: Image) -> None:
        self.pictures.append(image_rgb)

    def key(self) -> str:
        return self.keys.pop(0) if self.keys else ""

    def close(self) -> None:
        self.is_open = False


class Desk:
    """A viewer with its screen, and somebody at the keys."""

    def __init__(self, out: Path) -> None:
        self.screen, self.said = MadeScreen(), list[str]()
        self.viewer = Viewer(self.screen, out, self.said.append)
        self.number = 0

    def frames(self, count: int = 1) -> None:
        for _ in range(count):
            self.viewer.take(made_frame(self.number))
            self.number += 1

    def press(self, key: str) -> bool:
        self.screen.keys.append(key)
        return self.viewer.goes_on()

    def close(self) -> None:
        self.viewer.close()

    def shown(self) -> int:
        """The number of the frame in the picture, by its grey."""
        return round(float(self.screen.pictures[-1][-20:, -20:].mean()) / 4)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as desk:
        yield desk


def made_frame(number: int) -> StreamFrame:
    """A frame whose grey is four times its number, with a face."""
    labels = ("happiness", "anger")
    face: TrackedFace = {
        "box": [150, 90, 90, 100],
        "face_confidence": 0.9,
        "landmarks": None,
        "track_id": 1,
        "emotion": "happiness",
        "confidence": 0.8,
        "emotions": dict(zip(labels, (0.8, 0.2), strict=True)),
        "uncertainty": 0.5,
        "candidates": ["happiness"],
        "face_likeness": 0.9,
        "uncertain": False,
    }
    picture = np.full((240, 400, 3), 4 * number, dtype=np.uint8)
    return StreamFrame(number, picture, number * STEP_S, [face])


def recorded(path: Path) -> tuple[list[float], list[int]]:
    """Times and numbers of the frames in a recording."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    greys = [frame.to_ndarray(format="gray")[-20:, -20:].mean() for frame in frames]
    return [frame.time or 0.0 for frame in frames], [round(float(grey) / 4) for grey in greys]


@pytest.mark.parametrize("key", ["q", "\x1b"])
def test_two_keys_quit_and_others_do_not(desk: Desk, key: str) -> None:
    desk.frames()
    assert all(desk.press(other) for other in ("x", "h", " ", "b", "s", "r", ""))
    assert not desk.press(key)


def test_closing_the_window_quits(desk: Desk) -> None:
    desk.frames(2)
    assert desk.viewer.goes_on()
    desk.screen.close()
    shown = len(desk.screen.pictures)
    assert not desk.press("h")
    desk.frames()
    assert len(desk.screen.pictures) == shown  # no window opens again


def test_in_a_pause_the_picture_stands_still_and_then_is_the_newest(desk: Desk) -> None:
    desk.frames(3)
    desk.press(" ")
    desk.frames(5)
    assert desk.shown() == 2
    desk.press("b")
    assert desk.shown() == 2
    desk.press(" ")
    desk.frames()
    assert desk.shown() == 8


def test_pictures_are_saved_with_their_faces_and_without_the_words(
    desk: Desk, tmp_path: Path
) -> None:
    assert desk.press("s")  # before there is any
    desk.frames(5)
    desk.press("s")
    desk.press("b")
    desk.press("s")
    one, two = tmp_path / "webcam-1.png", tmp_path / "webcam-2.png"
    assert desk.said == [f"{one}: saved", f"{two}: saved"]
    plain, bars = read_image(one), read_image(two)
    assert (plain[:60, :120] == 16).all()  # the corner with the words
    assert (plain[90, 150:240] != 16).any()
    assert (plain != bars).any()


def test_help_and_messages_stand_in_the_corner(desk: Desk) -> None:
    def words() -> int:
        return int((desk.screen.pictures[-1][:, :140] > 200).sum())

    desk.frames(3)
    few = words()
    desk.press("h")
    assert words() > 3 * few
    desk.press("h")
    assert words() == few
    desk.press("s")
    assert words() > few
    desk.frames(40)
    assert words() < 2 * few


def test_a_recording_has_every_frame_at_its_time_also_in_a_pause(
    desk: Desk, tmp_path: Path
) -> None:
    desk.press("r")  # before there is anything to record
    desk.frames(4)
    desk.press("r")
    desk.frames(3)
    desk.press(" ")
    desk.frames(3)
    desk.press("r")
    desk.frames(2)
    path = tmp_path / "webcam-1.mp4"
    assert desk.said == [f"{path}: recording", f"{path}: recorded, 1 s"]
    times, numbers = recorded(path)
    assert numbers == [3, 4, 5, 6, 7, 8, 9]
    assert times == pytest.approx([STEP_S * place for place in range(7)], abs=1e-3)


def test_a_recording_is_finished_at_the_end(desk: Desk, tmp_path: Path) -> None:
    with desk.viewer:
        desk.frames(2)
        desk.press("r")
        desk.frames(2)
    assert recorded(tmp_path / "webcam-1.mp4")[1] == [1, 2, 3]
    assert not desk.screen.is_open


def test_no_file_is_written_over(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "webcam-1.mp4").write_bytes(b"earlier")
    (tmp_path / "webcam-2.mp4.part").write_bytes(b"broken off")
    desk.frames()
    desk.press("r")
    desk.press("r")
    assert desk.said[-1] == f"{tmp_path / 'webcam-3.mp4'}: recorded, 0 s"
    assert (tmp_path / "webcam-2.mp4.part").read_bytes() == b"broken off"


def test_a_full_disk_leaves_what_was_recorded(desk: Desk, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits on a file's size here")
    noise = np.random.default_rng(0).integers(0, 256, (100, 96, 128, 3), dtype=np.uint8)
    frames = [StreamFrame(number, image, number / 25, []) for number, image in enumerate(noise)]
    desk.viewer.take(frames[0])
    desk.press("r")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"webcam-1\.mp4: can't be written to"):
            deque(map(desk.viewer.take, frames[1:]), maxlen=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    desk.close()
    assert "recorded" in desk.said[-1]
    times, _ = recorded(tmp_path / "webcam-1.mp4")
    assert 25 <= len(times) < 100


def stream_of(count: int, closed: list[bool]) -> Generator[StreamFrame, None, None]:
    try:
        for number in range(count):
            yield made_frame(number)
        raise SourceError("the cable is out")
    finally:
        closed.append(True)


def test_frames_come_until_the_error_that_ends_them() -> None:
    closed: list[bool] = []
    frames = while_wanted(stream_of(3, closed), lambda: True)
    assert [next(frames).number for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceError, match="the cable is out"):
        next(frames)
    assert closed == [True]


def test_frames_come_until_they_are_wanted_no_more() -> None:
    closed: list[bool] = []
    is_wanted = True
    frames = while_wanted(stream_of(100, closed), lambda: is_wanted)
    assert [next(frames).number for _ in range(5)] == [0, 1, 2, 3, 4]
    is_wanted = False
    assert list(frames) == []
    assert closed == [True]


def test_a_stream_that_has_fallen_silent_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.workers.CLOSING_S", 0.1)
    may_end, wanted = threading.Event(), [True] * 3

    def frames() -> Generator[StreamFrame, None, None]:
        may_end.wait()
        yield made_frame(0)

    assert list(while_wanted(frames(), lambda: bool(wanted and wanted.pop()))) == []
    may_end.set()
