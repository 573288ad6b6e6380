"""MTCNN with a stand-in for its package, and with the package itself where it is installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import mien.mtcnn
from mien import ConfigError, EmotionRecognition
from mien.alignment import CANONICAL_LANDMARKS, face_transform
from mien.detection import RetinaFace
from mien.mtcnn import MTCNN
from tests.test_detection import LANDMARKS

Frame = NDArray[np.uint8]

STAND_INS = Path(__file__).parent / "stand_ins"
HAS_PACKAGE = find_spec("facenet_pytorch") is not None


def load_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the package loaded anew from a folder; afterwards all is as it was."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    del sys.modules["facenet_pytorch"]


@pytest.fixture(params=["stand-in", "facenet-pytorch"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which package there is; every test is run with either."""
    if request.param == "stand-in":
        load_from(STAND_INS, monkeypatch)
    elif not HAS_PACKAGE:
        pytest.skip("facenet-pytorch is not installed: pip install 'mien[mtcnn]'")
    return str(request.param)


@pytest.fixture(scope="module")
def astronaut_rgb(astronaut: Frame) -> Frame:
    frame = np.ascontiguousarray(astronaut[..., ::-1])
    frame.flags.writeable = False
    return frame


@pytest.mark.usefixtures("package")
def test_a_face_is_where_retinaface_finds_it(astronaut_rgb: Frame) -> None:
    (face,) = MTCNN().detect(astronaut_rgb)
    (wanted,) = RetinaFace().detect(astronaut_rgb)
    assert face.score is not None
    assert 0.9 < face.score <= 1
    np.testing.assert_allclose(np.asarray(face.landmarks), np.asarray(wanted.landmarks), atol=5)
    np.testing.assert_allclose(face.box, wanted.box, atol=10)


@pytest.mark.parametrize("degrees", [0, 20])
def test_the_cut_is_upright_with_the_right_eye_on_its_side(
    degrees: float, astronaut_rgb: Frame, package: str
) -> None:
    if degrees and package == "stand-in":
        pytest.skip("the stand-in knows no turned face")
    turn = cv2.getRotationMatrix2D((224, 120), degrees, 1)
    frame = np.asarray(cv2.warpAffine(astronaut_rgb, turn, (512, 512)), np.uint8)
    (face,) = MTCNN().detect(frame)
    points = np.asarray(face.landmarks)
    transform = face_transform(face.box, points, CANONICAL_LANDMARKS, 48)
    in_cut = np.linalg.solve(transform[:, :2], (points - transform[:, 2]).T).T / 48
    np.testing.assert_allclose(in_cut, CANONICAL_LANDMARKS, atol=0.1)


@pytest.mark.usefixtures("package")
def test_emotions_are_those_with_retinaface(
    astronaut: Frame, recognition: EmotionRecognition
) -> None:
    (face,) = EmotionRecognition(detector="mtcnn").run(astronaut)
    (wanted,) = recognition.run(astronaut)
    assert face["emotion"] == wanted["emotion"]
    assert face["confidence"] == pytest.approx(wanted["confidence"], abs=0.1)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("min_face_size", [None, 1, 49, 1e6])
def test_frames_of_any_shape_are_taken(min_face_size: float | None) -> None:
    detector = MTCNN(min_face_size)
    for shape in [(1, 1), (1, 500), (500, 1), (3, 3), (9, 300), (49, 49)]:
        assert detector.detect(np.full((*shape, 3), 120, np.uint8)) == []


@pytest.mark.usefixtures("package")
def test_min_face_size_and_thresholds_leave_faces_out(astronaut: Frame) -> None:
    assert MTCNN(thresholds=(0.6, 0.7, 1)).detect(astronaut) == []
    assert EmotionRecognition(detector="mtcnn", min_face_size=300).run(astronaut) == []


def test_several_faces_are_found_with_their_own_landmarks(
    astronaut_rgb: Frame, package: str
) -> None:
    if package == "stand-in":
        pytest.skip("the stand-in knows one face")
    half = cv2.resize(astronaut_rgb, (256, 256), interpolation=cv2.INTER_AREA)
    frame = np.full((512, 800, 3), 128, np.uint8)
    frame[:, :512], frame[:256, 520:776] = astronaut_rgb, half
    large, small = sorted(MTCNN().detect(frame), key=lambda face: -face.box[2])
    np.testing.assert_allclose(np.asarray(large.landmarks), LANDMARKS, atol=5)
    wanted = np.array(LANDMARKS) / 2 + (520, 0)
    np.testing.assert_allclose(np.asarray(small.landmarks), wanted, atol=3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"min_face_size": 0}, "min_face_size is 0, expected pixels above 0"),
        ({"thresholds": (0.6, 0.7)}, r"thresholds is \(0.6, 0.7\), expected three numbers"),
        ({"thresholds": (0.6, 0.7, 7)}, r"thresholds is \(0.6, 0.7, 7\)"),
        ({"thresholds": (0.6, 0.7, float("nan"))}, r"thresholds is \(0.6, 0.7, nan\)"),
        ({"thresholds": "abc"}, "thresholds is 'abc', expected three numbers from 0 to 1"),
        ({"thresholds": 0.6}, "thresholds is 0.6, expected three numbers from 0 to 1"),
        ({"device": "tpu"}, "device is 'tpu', expected one of cpu, cuda, auto"),
    ],
)
def test_bad_settings_are_refused(
    settings: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_from(STAND_INS, monkeypatch)
    with pytest.raises(ConfigError, match=said):
        MTCNN(**settings)  # type: ignore[arg-type]


def test_without_its_package_the_command_for_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mien.mtcnn, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"not installed: pip install 'mien\[mtcnn\]'"):
        EmotionRecognition(detector="mtcnn")


def test_a_package_that_does_not_load_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "facenet_pytorch.py").write_text("raise RuntimeError('operator\\nis missing')")
    load_from(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match="facenet-pytorch does not load: operator is missing"):
        MTCNN()
