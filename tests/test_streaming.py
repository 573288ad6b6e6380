"""Streams from real files, made with PyAV."""

import math
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien import ConfigError, DetectedFace, EmotionRecognition, ImageError, SourceError
from mien.images import write_image
from mien.smoothing import Smoother
from mien.sources import Source, TimedFrame, open_source
from mien.streaming import Analysis, FoundFaces, stream
from tests.made import write_video

Image = NDArray[np.uint8]


def grey(value: int) -> Image:
    return np.full((64, 96, 3), value, dtype=np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    """A face that moves for ten frames, and is gone for five."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    face = np.ascontiguousarray(astronaut[:240, 100:420])
    frames = [np.roll(face, 3 * step, axis=1) for step in range(10)]
    write_video(path, [*frames, *[np.zeros_like(face)] * 5], [40 * step for step in range(15)])
    return path


def test_one_face_has_one_number_and_leaves(clip: Path, recognition: EmotionRecognition) -> None:
    frames = list(recognition.stream(clip))
    assert [len(frame.faces) for frame in frames] == [1] * 10 + [0] * 5
    assert {face["track_id"] for frame in frames for face in frame.faces} == {1}
    assert all(frame.frame.shape == (240, 320, 3) for frame in frames)
    for frame in frames:
        for face in frame.faces:
            assert sum(face["emotions"].values()) == pytest.approx(1)
            assert sum(face["raw_emotions"].values()) == pytest.approx(1)


def test_a_stream_without_smoothing_says_what_run_says(
    clip: Path, recognition: EmotionRecognition
) -> None:
    for frame in recognition.stream(clip, smoothing_s=0, every=4):
        alone = recognition.run(frame.frame)
        for one, other in zip(frame.faces, alone, strict=True):
            assert "raw_emotions" not in one
            assert one["box"] == other["box"]
            assert one["emotions"] == pytest.approx(other["emotions"], abs=1e-5)


def test_faces_are_followed_between_the_frames_where_they_are_looked_for(
    clip: Path, recognition: EmotionRecognition
) -> None:
    looked = []

    class Counting:
        def detect(self, frame_rgb: Image) -> list[object]:
            looked.append(frame_rgb)
            return recognition._detector.detect(frame_rgb)  # type: ignore[return-value]

    er = EmotionRecognition(detector=Counting())  # type: ignore[arg-type]
    every = list(recognition.stream(clip, smoothing_s=0, end_s=0.4))
    followed = list(er.stream(clip, smoothing_s=0, detect_every=5, end_s=0.4))
    assert len(looked) == 2
    for one, other in zip(every, followed, strict=True):
        assert other.faces[0]["track_id"] == 1
        assert abs(one.faces[0]["box"][0] - other.faces[0]["box"][0]) <= 14


def test_a_cut_to_somebody_else_at_the_same_place_is_seen(
    astronaut: Image, recognition: EmotionRecognition
) -> None:
    looked = []
    before = np.ascontiguousarray(astronaut[:240, 100:420])
    other = np.roll(before, 80, axis=0)[:, ::-1]
    after = (0.35 * before + 0.65 * other).astype(np.uint8)
    faces = recognition._detector.detect(before)

    class Still:
        def detect(self, frame_rgb: Image) -> list[DetectedFace]:
            looked.append(frame_rgb)
            return faces

    er = EmotionRecognition(detector=Still())
    film = [before] * 7 + [after] * 7
    seen = list(er.stream(iter(film), color="RGB", detect_every=5, smoothing_s=10))
    assert [frame.faces[0]["track_id"] for frame in seen] == [1] * 7 + [2] * 7
    assert [np.array_equal(frame, before) for frame in looked] == [True, True, False, False]
    assert seen[7].faces[0]["emotions"] == seen[7].faces[0]["raw_emotions"]
    one_scene = [(image, 0.3 * place) for place, image in enumerate(film)]
    seen = list(er.stream(iter(one_scene), color="RGB"))
    assert {frame.faces[0]["track_id"] for frame in seen} == {1}  # too far apart to be a cut


def test_an_iterator_is_read_lazily_and_closed(recognition: EmotionRecognition) -> None:
    given, closed = [], []

    def frames() -> Iterator[tuple[Image, float]]:
        try:
            for number in range(10_000):
                given.append(number)
                yield grey(0), number / 10
        finally:
            closed.append(True)

    results = recognition.stream(frames(), color="RGB")
    first = next(results)
    assert (first.number, first.time_s, first.faces) == (0, 0.0, [])
    results.close()
    assert len(given) < 10_000
    assert closed == [True]


@pytest.mark.parametrize("color", ["BGR", "RGB"])
def test_an_iterator_may_refill_one_picture(color: str, recognition: EmotionRecognition) -> None:
    def frames() -> Iterator[Image]:
        picture = grey(0)
        for number in range(6):
            picture[:] = number
            yield picture

    results = recognition.stream(frames(), color=color)
    assert [int(frame.image_rgb.max()) for frame in results] == [0, 1, 2, 3, 4, 5]


def test_live_frames_are_answered_as_they_come(recognition: EmotionRecognition) -> None:
    answered = threading.Event()

    def frames() -> Iterator[Image]:
        for _ in range(3):
            answered.clear()
            yield grey(0)
            assert answered.wait(60)

    times_s = []
    for frame in recognition.stream(frames(), live=True):
        times_s.append(frame.time_s)
        answered.set()
    assert len(times_s) == 3
    assert 0 <= times_s[0] < times_s[1] < times_s[2]
    with pytest.raises(ConfigError, match="live is for iterables of frames"):
        recognition.stream(0, live=True)


def test_pictures_of_a_folder_are_not_smoothed_and_hidden_ones_left_out(
    tmp_path: Path, recognition: EmotionRecognition, astronaut: Image
) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, astronaut)
    (tmp_path / "._a.png").write_bytes(b"of a disk of another kind")
    frames = list(recognition.stream(str(tmp_path)))
    assert len(frames) == 2
    assert all("raw_emotions" not in face for frame in frames for face in frame.faces)
    frames = list(recognition.stream(str(tmp_path), smoothing_s=0.5))
    assert all("raw_emotions" in face for frame in frames for face in frame.faces)


def test_a_stream_that_is_closed_before_its_first_frame_closes_its_source(
    recognition: EmotionRecognition,
) -> None:
    class Closing(Live):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    source = Closing()
    recognition.stream(source).close()
    assert source.closed == 1


def test_a_folder_of_pictures_comes_in_the_order_of_names(
    tmp_path: Path, recognition: EmotionRecognition
) -> None:
    for name in ("b.png", "a.png", "c.jpg"):
        write_image(tmp_path / name, grey(ord(name[0])))
    (tmp_path / "notes.txt").write_text("no picture")
    frames = list(recognition.stream(tmp_path))
    assert [frame.time_s for frame in frames] == [0.0, 0.04, 0.08]
    assert [int(frame.frame.mean()) for frame in frames] == [97, 98, 99]


def test_an_error_of_the_source_comes_after_the_frames_before_it(
    recognition: EmotionRecognition,
) -> None:
    def frames() -> Iterator[Image]:
        yield grey(0)
        yield grey(0)
        raise SourceError("the cable is out")

    results = recognition.stream(frames())
    assert [next(results).number for _ in range(2)] == [0, 1]
    with pytest.raises(SourceError, match="the cable is out"):
        next(results)


def test_other_sources_and_settings_are_refused(recognition: EmotionRecognition) -> None:
    with pytest.raises(SourceError, match="of type float"):
        recognition.stream(0.5)
    with pytest.raises(ConfigError, match="every is 0"):
        recognition.stream([], every=0)
    with pytest.raises(SourceError, match="camera -1: cameras are numbered from 0"):
        recognition.stream(-1)
    with pytest.raises(SourceError, match=r"one picture of shape \(64, 96, 3\)"):
        recognition.stream(grey(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smoothing_s": -1}, "smoothing_s is -1"),
        ({"smoothing_s": "0.5"}, "smoothing_s is '0.5'"),
        ({"start_s": float("nan")}, "start_s is nan"),
        ({"start_s": 2, "end_s": 1}, "end_s is 1, expected more than start_s, 2"),
        ({"start_s": 1}, "start_s and end_s are for video files"),
        ({"detect_every": 0}, "detect_every is 0"),
    ],
)
def test_numbers_out_of_range_are_refused_at_once(
    recognition: EmotionRecognition, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        recognition.stream([grey(0)], **settings)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ((grey(0), 0.1, 2), "frame 1 is a tuple of 3"),
        ((grey(0), "soon"), "frame 1 is at 'soon'"),
        ((grey(0), float("nan")), "frame 1 is at nan"),
        ((grey(0), 0.5), "frame 1 is at 0.5, expected seconds from 1.0 on"),
    ],
)
def test_times_of_an_iterator_are_checked(
    recognition: EmotionRecognition, frame: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        list(recognition.stream([(grey(0), 1.0), frame]))


def test_times_may_be_numpys(recognition: EmotionRecognition) -> None:
    frames = [(grey(0), time_s) for time_s in (np.int64(1), np.float32(1.5), np.float64(2))]
    assert [frame.time_s for frame in recognition.stream(frames)] == [1.0, 1.5, 2.0]


class Live(Source):
    """Gives frames when it is told to, and then nothing any more."""

    is_live = True

    def __init__(self) -> None:
        self.may_give, self.has_given, self.may_end = (threading.Event() for _ in range(3))

    def __iter__(self) -> Iterator[TimedFrame]:
        yield TimedFrame(0, grey(0), 0.0)
        self.may_give.wait()
        for number in range(1, 6):
            yield TimedFrame(number, grey(number), number / 25)
        self.has_given.set()
        self.may_end.wait()


class Blind:
    """An analyst that sees no faces."""

    def find(self, frame_rgb: Image) -> FoundFaces:
        return FoundFaces([], [])

    def cut(self, frame_rgb: Image, faces: object) -> list[Image]:
        return []

    def classify(self, cuts: Sequence[Sequence[Image]]) -> list[Analysis]:
        return [Analysis(np.empty((0, 8)), np.empty(0)) for _ in cuts]

    def describe(self, *_: object) -> list[Any]:
        return []


@pytest.mark.parametrize(("detect_every", "batches"), [(5, [5] * 6), (12, [8, 4, 8, 4, 6])])
def test_a_search_and_frames_followed_after_it_are_classified_together_and_come_in_order(
    detect_every: int, batches: list[int]
) -> None:
    class Counting(Blind):
        def __init__(self) -> None:
            self.batches: list[int] = []

        def classify(self, cuts: Sequence[Sequence[Image]]) -> list[Analysis]:
            self.batches.append(len(cuts))
            return super().classify(cuts)

    analyst, source = Counting(), open_source([grey(0)] * 30)
    frames = stream(analyst, source, detect_every, smoother=Smoother(0), workers=1)
    assert [frame.number for frame in frames] == list(range(30))
    assert analyst.batches == batches


@pytest.mark.parametrize("detect_every", [1, 4])
def test_an_error_of_the_detector_comes_after_the_frames_before_it(detect_every: int) -> None:
    class Failing(Blind):
        def find(self, frame_rgb: Image) -> FoundFaces:
            if frame_rgb[0, 0, 0] == 20:
                raise ValueError("it is tired")
            return super().find(frame_rgb)

    source = open_source([grey(number) for number in range(30)])
    frames = stream(Failing(), source, detect_every, smoother=Smoother(0), workers=3)
    assert [next(frames).number for _ in range(20)] == list(range(20))
    with pytest.raises(ValueError, match="it is tired"):
        next(frames)


def test_a_face_moves_on_only_for_as_long_as_its_motion_is_believed() -> None:
    class Walker(Blind):
        """Sees a face that walks three pixels a frame."""

        def find(self, frame_rgb: Image) -> FoundFaces:
            face = DetectedFace((3.0 * frame_rgb[0, 0, 0], 10.0, 60.0, 60.0))
            return FoundFaces([face], self.cut(frame_rgb, [face]))

        def cut(self, frame_rgb: Image, faces: object) -> list[Image]:
            return [np.eye(48, dtype=np.uint8)]

        def classify(self, cuts: Sequence[Sequence[Image]]) -> list[Analysis]:
            return [Analysis(np.full((1, 8), 1 / 8), np.ones(1)) for _ in cuts]

        def describe(self, *given: Any) -> list[Any]:
            return [{"box": face.box, "emotions": {}} for face in given[1]]

    pictures = [np.full((80, 400, 3), number, dtype=np.uint8) for number in range(40)]
    source = open_source([(picture, place / 10) for place, picture in enumerate(pictures)])
    frames = list(stream(Walker(), source, 20, smoother=Smoother(0), workers=1))
    places = [frame.faces[0]["box"][0] for frame in frames]
    assert places[20] < places[25] < places[30]
    assert places[31:] == places[30:-1]


def test_followed_faces_keep_their_order_and_their_landmarks_move_along() -> None:
    class Twins(Blind):
        """Sees two who walk to the right; from frame 20 on he is told first."""

        def find(self, frame_rgb: Image) -> FoundFaces:
            step = int(frame_rgb[0, 0, 0])
            her = (10 + 2.0 * step, 10.0, 60.0, 60.0), np.full((5, 2), (30 + 2.0 * step, 40.0))
            him = (300 + 4.0 * step, 10.0, 60.0, 60.0), np.full((5, 2), (330 + 4.0 * step, 40.0))
            faces = [DetectedFace(box, 1.0, points) for box, points in (her, him)]
            order = [0, 1] if step < 20 else [1, 0]
            cuts = [np.eye(48, dtype=np.uint8), np.eye(48, dtype=np.uint8)[::-1]]
            return FoundFaces([faces[i] for i in order], [cuts[i] for i in order])

        def classify(self, cuts: Sequence[Sequence[Image]]) -> list[Analysis]:
            return [Analysis(np.full((2, 8), 1 / 8), np.ones(2)) for _ in cuts]

        def describe(self, *given: Any) -> list[Any]:
            return [
                {"x": face.box[0], "eye": face.landmarks[0][0], "emotions": {}} for face in given[1]
            ]

    pictures = [np.full((80, 640, 3), number, dtype=np.uint8) for number in range(30)]
    source = open_source([(picture, place / 25) for place, picture in enumerate(pictures)])
    frames = list(stream(Twins(), source, 5, smoother=Smoother(0), workers=1))
    for number, frame in enumerate(frames):
        ids = [1, 2] if number < 20 else [2, 1]
        assert [face["track_id"] for face in frame.faces] == ids
        seen: list[Any] = sorted(frame.faces, key=lambda face: face["track_id"])
        assert seen[0]["eye"] - seen[0]["x"] == pytest.approx(20)
        assert seen[1]["eye"] - seen[1]["x"] == pytest.approx(30)
    (last_x,) = (face["x"] for face in seen if face["track_id"] == 2)
    assert last_x == pytest.approx(300 + 4 * 29, abs=4)


def test_of_a_live_source_the_newest_frame_is_taken_and_it_may_fall_silent() -> None:
    source = Live()
    frames = stream(Blind(), source, detect_every=1, smoother=Smoother(0), workers=1)
    assert next(frames).number == 0
    source.may_give.set()
    source.has_given.wait()
    assert next(frames).number == 5
    frames.close()  # though the source still has not ended
    source.may_end.set()


class MadeCamera(Source):
    """Gives 30 frames a second by a clock that is put forward by hand, for a minute."""

    is_live = True
    RATE, FRAMES = 30, 60 * 30

    def __init__(self) -> None:
        self.now_s, self.alive = 0.0, 0
        self._next_s = 0.0
        self._change = threading.Condition()

    def __iter__(self) -> Iterator[TimedFrame]:
        for number in range(self.FRAMES):
            self._come_to(number / self.RATE)
            image = grey(number % 256)
            self.alive += 1
            weakref.finalize(image, self._forget)
            yield TimedFrame(number, image, number / self.RATE)
            del image
        self._come_to(math.inf)

    def _forget(self) -> None:
        self.alive -= 1

    def _come_to(self, time_s: float) -> None:
        """Wait until it is time; the end does not wait."""
        with self._change:
            self._next_s = time_s
            self._change.notify_all()
            self._change.wait_for(lambda: self.now_s >= time_s or time_s == math.inf)

    def forward(self, seconds: float) -> None:
        """Let time pass, and with it the frames that are due."""
        with self._change:
            self.now_s += seconds
            self._change.notify_all()
            self._change.wait_for(lambda: self._next_s > self.now_s)


def test_of_a_camera_the_frame_is_never_older_than_an_analysis_and_nothing_queues_up() -> None:
    camera, analysis_s = MadeCamera(), 0.2

    class Slow(Blind):
        def find(self, frame_rgb: Image) -> FoundFaces:
            camera.forward(analysis_s)
            return super().find(frame_rgb)

    ages, alive = [], []
    for frame in stream(Slow(), camera, detect_every=1, smoother=Smoother(0), workers=2):
        ages.append(camera.now_s - frame.time_s)
        alive.append(camera.alive)
    assert len(ages) == pytest.approx(60 / analysis_s, abs=2)
    assert max(ages) <= analysis_s + 1 / camera.RATE + 1e-6
    assert max(alive) <= 4


def test_a_source_that_is_open_is_taken_as_it_is(recognition: EmotionRecognition) -> None:
    frames = recognition.stream(open_source([grey(0)] * 5, every=2))
    assert [frame.number for frame in frames] == [0, 2, 4]
    with pytest.raises(ConfigError, match="every is for a source that is yet to be opened"):
        recognition.stream(open_source([grey(0)]), every=2)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (grey(0) / 255, "the frame's values are float64, expected a uint8 array"),
        (grey(0)[..., 0], r"the picture's shape is \(64, 96\), expected \(H, W, 3\)"),
    ],
)
def test_a_source_of_the_caller_gives_rgb(
    recognition: EmotionRecognition, image: Any, message: str
) -> None:
    class Own(Source):
        def __iter__(self) -> Iterator[TimedFrame]:
            yield TimedFrame(0, grey(0), 0.0)
            yield TimedFrame(1, image, 0.04)

    frames = recognition.stream(Own())
    assert next(frames).number == 0
    with pytest.raises(ImageError, match=message):
        next(frames)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64])
def test_numbers_may_be_of_numpy(recognition: EmotionRecognition, kind: Any) -> None:
    frames = recognition.stream([grey(0)] * 300, every=kind(2), detect_every=kind(100))
    assert [frame.number for frame in frames] == list(range(0, 300, 2))


def test_a_thread_may_analyse_on_when_the_main_one_has_ended(clip: Path) -> None:
    script = f"""
import threading
from mien import EmotionRecognition

recognition = EmotionRecognition()

def work():
    threading.main_thread().join()
    print(sum(1 for _ in recognition.stream({str(clip)!r})))

threading.Thread(target=work).start()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("15\n", "", 0)


def test_a_program_may_end_while_a_live_stream_is_open() -> None:
    script = """
import numpy as np
from mien import EmotionRecognition

def camera():
    while True:
        yield np.zeros((1080, 1920, 3), np.uint8)

stream = EmotionRecognition().stream(camera(), live=True)
next(stream)
print("seen")
"""
    for _ in range(4):  # a thread that is left behind is not always met inside a decoder
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert (done.stdout, done.stderr, done.returncode) == ("seen\n", "", 0)


def test_what_is_thrown_into_a_stream_ends_it(recognition: EmotionRecognition) -> None:
    results = recognition.stream([grey(0)] * 30)
    next(results)
    with pytest.raises(RuntimeError, match="enough"):
        results.throw(RuntimeError("enough"))
    assert list(results) == []


def test_faces_are_looked_for_anew_in_frames_of_another_size(
    astronaut: Image, recognition: EmotionRecognition
) -> None:
    small = np.ascontiguousarray(astronaut[:240, 100:420])
    large = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    frames = list(recognition.stream([small, large, large], color="RGB", detect_every=9))
    one, other, _ = (frame.faces[0]["box"] for frame in frames)
    np.testing.assert_allclose(np.array(other) / 2, one, atol=4)


def test_times_that_stand_still_do_not_hold_up_the_answer(
    astronaut: Image, recognition: EmotionRecognition
) -> None:
    x, y, width, height = recognition.run(astronaut, color="RGB")[0]["box"]
    covered = astronaut.copy()  # her smile is behind a scarf
    covered[y + height // 2 : y + height, x : x + width] = astronaut[
        y + height // 4, x + width // 2
    ]
    before, after = (recognition.run(one, color="RGB")[0] for one in (astronaut, covered))
    assert before["emotions"]["happiness"] > after["emotions"]["happiness"] + 0.2
    frames = [(astronaut, 7), *[(covered, 7)] * 40]
    *_, last = recognition.stream(frames, color="RGB")
    (face,) = last.faces
    assert face["track_id"] == 1
    assert face["emotions"] == pytest.approx(face["raw_emotions"], abs=0.05)
