import json
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from mien import ConfigError, DetectedFace, EmotionRecognition, ImageError
from mien.alignment import cut, face_transform
from mien.detection import RetinaFace
from mien.images import read_image, to_grey
from mien.labels import EMOTIONS
from mien.model_file import open_model
from mien.models import read_packaged
from mien.results import LANDMARK_NAMES, FaceAnswer, FaceResult

Frame = NDArray[np.uint8]

#: Her face in the astronaut's picture, measured by eye: x, y, width, height.
HER_BOX = (178, 60, 94, 118)
ANSWER = ["emotion", "confidence", "emotions", "uncertainty", "candidates", "face_likeness"]
ANSWER_KEYS = [*ANSWER, "uncertain"]
FACE_KEYS = ["box", "face_confidence", "landmarks", *ANSWER_KEYS]


class FixedDetector:
    """Says always the same, and keeps what it was shown."""

    def __init__(self, *faces: DetectedFace) -> None:
        self.faces = list(faces)
        self.seen: list[Frame] = []

    def detect(self, frame_rgb: Frame) -> list[DetectedFace]:
        self.seen.append(frame_rgb)
        return self.faces


def detecting(*faces: DetectedFace) -> EmotionRecognition:
    return EmotionRecognition(detector=FixedDetector(*faces))


def numbers(face: FaceAnswer) -> list[float]:
    found = cast("FaceResult", face)  # of a cut-out face these two are missing
    landmarks = found.get("landmarks") or {}
    return [
        *found.get("box", []),
        *(value for point in landmarks.values() for value in point),
        *face["emotions"].values(),
        face["uncertainty"],
        face["face_likeness"],
    ]


def assert_alike(found: Sequence[FaceAnswer], wanted: Sequence[FaceAnswer]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one["candidates"] == other["candidates"]
        assert one["uncertain"] == other["uncertain"]
        np.testing.assert_allclose(numbers(one), numbers(other), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def result(recognition: EmotionRecognition, astronaut: Frame) -> FaceResult:
    (face,) = recognition.run(astronaut)
    return face


@pytest.fixture(scope="module")
def blank() -> Frame:
    return np.full((60, 80, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def faces(astronaut: Frame) -> list[Frame]:
    """Seven different cut-outs."""
    x, y, width, height = HER_BOX
    return [astronaut[y : y + height - 9 * i, x + 6 * i : x + width] for i in range(7)]


@pytest.fixture(scope="module")
def single_answers(recognition: EmotionRecognition, faces: list[Frame]) -> list[FaceAnswer]:
    return [recognition.run_on_face(face) for face in faces]


def test_the_astronaut_is_happy(result: FaceResult) -> None:
    assert result["emotion"] == "happiness"
    np.testing.assert_allclose(result["box"], HER_BOX, atol=8)
    landmarks = result["landmarks"]
    assert landmarks is not None
    assert landmarks["right_eye"][0] < landmarks["nose"][0] < landmarks["left_eye"][0]


def test_a_result_has_the_documented_keys_and_types(result: FaceResult) -> None:
    assert list(result) == FACE_KEYS
    assert [type(value) for value in result["box"]] == [int] * 4
    assert list(result["landmarks"] or []) == list(LANDMARK_NAMES)
    assert list(result["emotions"]) == list(EMOTIONS)
    assert type(result["uncertain"]) is bool
    names = ("face_confidence", "confidence", "uncertainty", "face_likeness")
    assert {type(result[name]) for name in names} == {float}  # type: ignore[literal-required]
    assert {type(value) for value in result["emotions"].values()} == {float}
    assert json.loads(json.dumps(result)) == result


def test_the_numbers_of_a_result_agree(
    recognition: EmotionRecognition, result: FaceResult, faces: list[Frame]
) -> None:
    answers = recognition.run_on_faces([*faces, faces[0][:20], faces[0][::9, ::9]])
    for answer in [result, *answers]:
        values = np.array(list(answer["emotions"].values()))
        assert values.sum() == pytest.approx(1)
        assert answer["confidence"] == answer["emotions"][answer["emotion"]] == values.max()
        entropy = -(values * np.log(values)).sum() / np.log(len(values))
        assert answer["uncertainty"] == pytest.approx(entropy)
        by_probability = sorted(answer["emotions"], key=lambda name: -answer["emotions"][name])
        assert answer["candidates"] == by_probability[: len(answer["candidates"])]
        assert answer["candidates"][0] == answer["emotion"]
        assert 0 <= answer["face_likeness"] <= 1


def test_a_cut_out_face_has_no_place(single_answers: list[FaceAnswer]) -> None:
    assert list(single_answers[0]) == ANSWER_KEYS
    assert json.loads(json.dumps(single_answers)) == single_answers


def test_labels_are_those_of_the_results(
    recognition: EmotionRecognition, result: FaceResult
) -> None:
    assert recognition.labels == tuple(result["emotions"])


def test_a_frame_without_a_face_gives_an_empty_list(
    recognition: EmotionRecognition, blank: Frame
) -> None:
    assert recognition.run(blank) == []
    assert recognition.run_batch([blank, blank]) == [[], []]
    assert np.array_equal(recognition.show(blank), blank)


def test_nothing_in_gives_nothing_out(recognition: EmotionRecognition) -> None:
    assert recognition.run_batch([]) == []
    assert recognition.run_on_faces([]) == []


def test_faces_are_sorted_by_size(recognition: EmotionRecognition, astronaut: Frame) -> None:
    half = cv2.resize(astronaut, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frame = np.hstack([np.vstack([half, half]), astronaut])
    found = recognition.run(frame)
    assert [face["emotion"] for face in found] == ["happiness"] * 3
    areas = [face["box"][2] * face["box"][3] for face in found]
    assert areas == sorted(areas, reverse=True)
    assert found[0]["box"][0] > half.shape[1]


def test_a_batch_of_frames_gives_the_results_of_its_frames(
    recognition: EmotionRecognition, astronaut: Frame, blank: Frame
) -> None:
    frames = [astronaut, blank, astronaut[40:300, 100:360], blank[:9], astronaut, astronaut[..., 0]]
    for found, frame in zip(recognition.run_batch(iter(frames)), frames, strict=True):
        assert_alike(found, recognition.run(frame))


@pytest.mark.parametrize("count", [1, 2, 7, 70])
def test_an_answer_does_not_depend_on_its_batch(
    count: int,
    recognition: EmotionRecognition,
    faces: list[Frame],
    single_answers: list[FaceAnswer],
) -> None:
    answers = recognition.run_on_faces([faces[i % 7] for i in range(count)])
    assert_alike(answers, [single_answers[i % 7] for i in range(count)])


def test_many_faces_in_few_frames_give_the_same_results(astronaut: Frame, blank: Frame) -> None:
    found = [DetectedFace((170 + i, 60 - i, 90.5, 118)) for i in range(35)]
    recognition = detecting(*found)
    singles = [detecting(face).run(astronaut)[0] for face in found[:3]]
    first, second, third = recognition.run_batch([astronaut, astronaut, blank])
    assert_alike(first[:3], singles)
    assert_alike(second, first)
    assert len(third) == 35


def test_a_face_cut_by_the_canonical_frame_gives_the_same_answer(
    recognition: EmotionRecognition, astronaut: Frame, result: FaceResult
) -> None:
    rgb = np.ascontiguousarray(astronaut[..., ::-1])
    (face,) = RetinaFace().detect(rgb)
    metadata = open_model().metadata
    points = np.asarray(face.landmarks)
    transform = face_transform(face.box, points, metadata.landmarks, metadata.input_size)
    grey = to_grey(rgb)
    answer = recognition.run_on_face(cut(grey, transform, metadata.input_size))
    assert answer["emotions"] == pytest.approx(result["emotions"], abs=1e-5)


def test_threads_share_one_instance(
    recognition: EmotionRecognition, astronaut: Frame, blank: Frame
) -> None:
    frames = [np.ascontiguousarray(astronaut[: 400 - 20 * i, 5 * i :]) for i in range(7)] + [blank]
    alone = [recognition.run(frame) for frame in frames]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(recognition.run, frames * 4))
    for found, wanted in zip(together, alone * 4, strict=True):
        assert_alike(found, wanted)


def test_the_order_of_the_channels_makes_no_difference(
    recognition: EmotionRecognition, astronaut: Frame, result: FaceResult
) -> None:
    alpha = np.full(astronaut.shape[:2], 7, np.uint8)
    rgb = astronaut[..., ::-1]
    assert_alike(recognition.run(rgb, color="RGB"), [result])
    assert_alike(recognition.run(np.dstack([astronaut, alpha])), [result])
    assert_alike(recognition.run(np.dstack([rgb, alpha]), color="RGB"), [result])


def test_a_grey_frame_gives_about_the_same_answer(
    recognition: EmotionRecognition, astronaut: Frame, result: FaceResult
) -> None:
    grey = to_grey(np.ascontiguousarray(astronaut[..., ::-1]))
    (face,) = recognition.run(grey)
    assert face["emotion"] == result["emotion"]
    np.testing.assert_allclose(face["box"], result["box"], atol=4)
    assert face["emotions"] == pytest.approx(result["emotions"], abs=0.1)
    assert_alike(recognition.run(grey[..., None]), [face])
    assert_alike(recognition.run(np.dstack([grey] * 3)), [face])


def frames_of_all_kinds(astronaut: Frame) -> Iterator[Frame]:
    yield astronaut
    yield astronaut[..., 1]
    yield astronaut[..., :1]
    yield np.dstack([astronaut, astronaut[..., 0]])
    yield astronaut[::-1, ::2]


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("color", ["BGR", "RGB"])
def test_show_returns_a_new_picture(
    kind: int, color: str, recognition: EmotionRecognition, astronaut: Frame
) -> None:
    frame = list(frames_of_all_kinds(astronaut.copy()))[kind]
    kept = frame.copy()
    bgr = recognition.show(frame, color=color)
    rgb = recognition.show(frame, return_type="RGB", color=color)
    assert bgr.dtype == np.uint8
    assert bgr.shape == (*frame.shape[:2], 3)
    assert np.array_equal(rgb, bgr[..., ::-1])
    assert bgr.flags.writeable
    bgr[:], rgb[:] = 0, 0
    assert np.array_equal(frame, kept)


def test_show_takes_read_only_frames_and_draws_on_them(
    recognition: EmotionRecognition, astronaut: Frame, blank: Frame
) -> None:
    assert not astronaut.flags.writeable
    changed = (recognition.show(astronaut) != astronaut).any(axis=2)
    assert changed.any()
    assert not changed[250:].any()
    read_only = blank.copy()
    read_only.flags.writeable = False
    drawn = recognition.show(read_only, "RGB", "RGB")
    assert drawn.flags.writeable
    assert np.array_equal(drawn, blank)


def test_show_draws_bars_on_wish(recognition: EmotionRecognition, astronaut: Frame) -> None:
    with_bars = recognition.show(astronaut, bars=True)
    where = (with_bars != recognition.show(astronaut)).any(axis=2)
    assert where.sum() > 5000
    assert np.array_equal(recognition.show(astronaut, "RGB", bars=True), with_bars[..., ::-1])


def test_a_box_alone_is_enough(recognition: EmotionRecognition, astronaut: Frame) -> None:
    (face,) = recognition.run(astronaut, boxes=[HER_BOX])
    assert list(face) == FACE_KEYS
    assert face["emotion"] == "happiness"
    assert face["box"] == list(HER_BOX)
    assert face["face_confidence"] is None
    assert face["landmarks"] is None


def test_given_boxes_keep_their_order_and_nothing_is_detected(astronaut: Frame) -> None:
    detector = FixedDetector()
    boxes = np.array([[10, 20, 30, 40], HER_BOX, [10, 20, 31, 41]])
    found = EmotionRecognition(detector=detector).run(astronaut, boxes=boxes)
    assert [face["box"] for face in found] == boxes.tolist()
    assert json.loads(json.dumps(found)) == found
    assert detector.seen == []


def test_a_stream_has_the_model_that_was_opened(
    tmp_path: Path, astronaut: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.onnx").write_bytes(read_packaged("default"))
    recognition = EmotionRecognition(model="my.onnx", threads=2)
    Path("my.onnx").write_bytes(read_packaged("default-int8"))
    monkeypatch.chdir("/")
    (frame,) = recognition.stream([astronaut], color="RGB", smoothing_s=0)
    (face,) = recognition.run(astronaut, color="RGB")
    assert frame.faces[0]["confidence"] == pytest.approx(face["confidence"], abs=1e-6)


def test_the_class_of_a_detector_is_no_detector() -> None:
    with pytest.raises(ConfigError, match="detector is the class FixedDetector, expected an obj"):
        EmotionRecognition(detector=FixedDetector)  # type: ignore[arg-type]


def test_a_detector_of_the_caller_may_draw_into_what_it_is_given(astronaut: Frame) -> None:
    class Painting:
        def detect(self, frame_rgb: Frame) -> list[DetectedFace]:
            frame_rgb[:] = 0
            return [DetectedFace((168.0, 63.0, 103.0, 144.0))]

    frame = astronaut.copy()
    recognition = EmotionRecognition(detector=Painting())
    (face,) = recognition.run(frame, color="RGB")
    (expected,) = recognition.run(frame, color="RGB", boxes=[face["box"]])
    assert face["emotions"] == expected["emotions"]
    (streamed,) = recognition.stream([frame], color="RGB")
    np.testing.assert_array_equal(streamed.image_rgb, astronaut)
    np.testing.assert_array_equal(frame, astronaut)


@pytest.mark.parametrize("detector", [None, object(), 3])
def test_what_cannot_detect_is_no_detector(detector: Any) -> None:
    with pytest.raises(ConfigError, match=r"detector is a \w+, expected retinaface, mtcnn, or"):
        EmotionRecognition(detector=detector)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "the detector gave a NoneType, expected a list of mien.DetectedFace"),
        ([(1, 2, 3, 4)], "the detector gave a list of tuple, expected mien.DetectedFace"),
        ([DetectedFace((1, 2, 30, 40), "0.9")], "score is '0.9', expected a number"),  # type: ignore[arg-type]
        (
            [DetectedFace((1, 2, 30, 40), 0.9, np.zeros((68, 2)))],
            r"the landmarks are of shape \(68, 2\), expected five points",
        ),
    ],
)
def test_what_no_detector_should_give_is_named(found: Any, message: str, astronaut: Frame) -> None:
    class Odd:
        def detect(self, frame_rgb: Frame) -> Any:
            return found

    with pytest.raises(ImageError, match=message):
        EmotionRecognition(detector=Odd()).run(astronaut)


def test_errors_say_which_of_several_pictures_they_are_about(
    recognition: EmotionRecognition, astronaut: Frame
) -> None:
    with pytest.raises(ImageError, match=r"^frame 1: the frame is None"):
        recognition.run_batch([astronaut, None])
    with pytest.raises(ImageError, match=r"^face 2: the frame's values are float64"):
        recognition.run_on_faces([astronaut, astronaut, astronaut / 2])
    with pytest.raises(ImageError, match="a NoneType came, expected a list of pictures"):
        recognition.run_batch(None)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"^frame 1: "):
        list(recognition.stream([astronaut, astronaut / 2]))


def test_boxes_are_pixels(recognition: EmotionRecognition, astronaut: Frame) -> None:
    with pytest.raises(ImageError, match="expected pixels, not shares of the frame"):
        recognition.run(astronaut, boxes=[(0.35, 0.12, 0.19, 0.23)])
    with pytest.raises(ImageError, match="boxes is 5, expected a list of x, y"):
        recognition.run(astronaut, boxes=5)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"^the box is \(10000.*expected x, y"):
        recognition.run(astronaut, boxes=[(10**400, 0, 20, 20)])


def test_no_boxes_give_no_faces(recognition: EmotionRecognition, astronaut: Frame) -> None:
    assert recognition.run(astronaut, boxes=[]) == []


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-50, -60, 100, 200), [0, 0, 50, 140]),
        ((450, 480, 200, 200), [450, 480, 62, 32]),
        ((-100, -100, 1000, 1000), [0, 0, 512, 512]),
        ((600, 20, 30, 30), [511, 20, 1, 30]),
        ((100.4, 50.6, 10.2, 0.1), [100, 51, 11, 1]),
        ((0, 0, 1e7, 1e7), [0, 0, 512, 512]),
    ],
)
def test_a_box_partly_outside_is_cut_at_the_border(
    box: Sequence[float],
    inside: list[int],
    recognition: EmotionRecognition,
    astronaut: Frame,
) -> None:
    (face,) = recognition.run(astronaut, boxes=[box])
    assert face["box"] == inside


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 3),
        (1, 2, 3, 4, 5),
        (1, 2, 0, 4),
        (1, 2, 3, -4),
        (1, 2, 3, float("nan")),
        (float("inf"), 2, 3, 4),
        (0, 0, 1e300, 1e300),
        "face",
        None,
        7,
    ],
    ids=str,
)
def test_what_is_no_box_is_refused(
    box: Any, recognition: EmotionRecognition, astronaut: Frame
) -> None:
    with pytest.raises(ImageError, match="expected x, y, width and height in pixels"):
        recognition.run(astronaut, boxes=[HER_BOX, box])


def test_a_detector_of_the_caller_sees_rgb(blank: Frame) -> None:
    blue_bgr = np.zeros_like(blank)
    blue_bgr[..., 0] = 255
    detector = FixedDetector()
    assert EmotionRecognition(detector=detector).run(blue_bgr) == []
    assert detector.seen[0].shape == blank.shape
    assert detector.seen[0][0, 0].tolist() == [0, 0, 255]


def test_a_detector_of_the_caller_may_leave_out_landmarks(
    recognition: EmotionRecognition, astronaut: Frame
) -> None:
    (face,) = detecting(DetectedFace(HER_BOX)).run(astronaut)
    assert_alike([face], recognition.run(astronaut, boxes=[HER_BOX]))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, list])
def test_a_detector_of_the_caller_may_speak_numpy(
    kind: Any, astronaut: Frame, result: FaceResult
) -> None:
    points = list((result["landmarks"] or {}).values())
    if kind is list:
        detected = DetectedFace(HER_BOX, 0.5, [(x, y) for x, y in points])
    else:
        detected = DetectedFace(kind(HER_BOX), kind(1), np.asarray(points, kind))
    (face,) = detecting(detected).run(astronaut)
    assert face["emotion"] == "happiness"
    assert face["box"] == list(HER_BOX)
    assert json.loads(json.dumps(face)) == face
    np.testing.assert_allclose(list((face["landmarks"] or {}).values()), points, atol=1)


def test_a_detector_that_counts_as_false_is_taken(astronaut: Frame) -> None:
    class Empty(FixedDetector):
        def __len__(self) -> int:
            return 0

    assert EmotionRecognition(detector=Empty()).run(astronaut) == []


def test_faces_of_a_detector_may_reach_over_the_border(astronaut: Frame) -> None:
    outside = DetectedFace(
        (-40, 480, 60, 60), 0.7, [(-9, 490), (9, 490), (0, 500), (-5, 511), (5, 511)]
    )
    (face,) = detecting(outside).run(astronaut)
    assert face["box"] == [0, 480, 20, 32]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"detector": FixedDetector(), "min_face_size": 20}, "min_face_size is for packaged"),
        ({"detector": "haar"}, "detector is 'haar', expected retinaface or mtcnn"),
        ({"min_face_size": 0}, "min_face_size is 0"),
        ({"threads": -1}, "threads is -1"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"threads": 2**40}, "threads is 1099511627776, expected a whole number from 0 to 1,024"),
        ({"device": "tpu"}, "device is 'tpu', expected one of cpu, cuda, auto"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        EmotionRecognition(**settings)


def test_threads_may_be_of_numpy(faces: list[Frame], single_answers: list[FaceAnswer]) -> None:
    recognition = EmotionRecognition(threads=np.int64(1))  # type: ignore[arg-type]
    assert_alike([recognition.run_on_face(faces[0])], single_answers[:1])


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is here"
)
def test_cuda_is_refused_where_there_is_none_and_auto_does_without(
    faces: list[Frame], single_answers: list[FaceAnswer]
) -> None:
    with pytest.raises(ConfigError, match="device is 'cuda', but this ONNX Runtime has no CUDA"):
        EmotionRecognition(device="cuda")
    assert_alike([EmotionRecognition("auto").run_on_face(faces[0])], single_answers[:1])


@pytest.mark.parametrize("method", ["run", "run_batch", "run_on_face", "run_on_faces", "show"])
@pytest.mark.parametrize(
    "frame", [None, "a.jpg", np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)], ids=str
)
def test_bad_frames_are_refused_everywhere(
    method: str, frame: Any, recognition: EmotionRecognition
) -> None:
    argument = [frame] if method in ("run_batch", "run_on_faces") else frame
    with pytest.raises(ImageError, match="the frame"):
        getattr(recognition, method)(argument)


@pytest.mark.parametrize("method", ["run_batch", "run_on_faces"])
def test_one_picture_is_no_batch(
    method: str, recognition: EmotionRecognition, blank: Frame
) -> None:
    with pytest.raises(ImageError):
        getattr(recognition, method)(blank)


@pytest.mark.parametrize("settings", [{"color": "GBR"}, {"return_type": "GRAY"}])
def test_an_unknown_colour_order_is_refused(
    settings: dict[str, Any], recognition: EmotionRecognition, blank: Frame
) -> None:
    with pytest.raises(ImageError, match="expected 'BGR' or 'RGB'"):
        recognition.show(blank, **settings)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300), (300, 1), (7, 5, 4)])
def test_tiny_frames_and_faces_are_taken(
    shape: tuple[int, ...], recognition: EmotionRecognition
) -> None:
    frame = np.full(shape, 90, np.uint8)
    assert recognition.run(frame) == []
    assert recognition.show(frame).shape == (*shape[:2], 3)
    assert recognition.run_on_face(frame)["emotion"] in EMOTIONS
    assert recognition.run(frame, boxes=[(0, 0, 1, 1)])[0]["box"] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("multi_face", 5),
        ("two_people", 2),
        ("obama", 1),
        ("biden", 1),
        ("BWPictureHuman", 1),
    ],
)
def test_all_faces_of_real_pictures_are_found(
    name: str, count: int, recognition: EmotionRecognition, shared: Path
) -> None:
    picture = read_image(shared / "media" / f"{name}.jpg")
    found = recognition.run(picture, color="RGB")
    assert len(found) == count
    height, width = picture.shape[:2]
    for face in found:
        x, y, box_width, box_height = face["box"]
        assert 0 <= x < x + box_width <= width
        assert 0 <= y < y + box_height <= height


def test_memory_does_not_grow_with_threads_that_stay(
    recognition: EmotionRecognition, astronaut: Frame
) -> None:
    in_turn = threading.Barrier(2)
    may_end = threading.Event()

    def run_and_stay() -> None:
        recognition.run(astronaut)
        in_turn.wait(60)
        may_end.wait(60)

    memory = []
    tracemalloc.start()
    try:
        for _ in range(5):
            threading.Thread(target=run_and_stay).start()
            in_turn.wait(60)
            memory.append(tracemalloc.get_traced_memory()[0])
    finally:
        may_end.set()
        tracemalloc.stop()
    assert memory[-1] - memory[0] < 640 * 640 * 4
