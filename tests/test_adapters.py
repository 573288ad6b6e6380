import numpy as np
import pytest

from mien.adapters import as_deepface, as_fer, as_pyfeat
from mien.errors import ConfigError
from mien.streaming import StreamFrame
from tests.test_tables import face, frame

CONTEMPTUOUS = face(1)
CONTEMPTUOUS["emotions"] = CONTEMPTUOUS["emotions"] | {"happiness": 0.4, "contempt": 0.5}


def test_fer_has_seven_emotions_that_sum_to_one() -> None:
    (one,) = as_fer([CONTEMPTUOUS])
    assert list(one) == ["box", "emotions"]
    assert one["box"] == [1, 2, 30, 40]
    assert set(one["emotions"]) == {
        *("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    }
    assert one["emotions"]["happy"] == pytest.approx(0.8)
    assert sum(one["emotions"].values()) == pytest.approx(1)


def test_deepface_counts_in_percent() -> None:
    (one,) = as_deepface([face(1)])
    assert one["dominant_emotion"] == "happy"
    assert one["emotion"]["happy"] == pytest.approx(90)
    eyes = {"left_eye": None, "right_eye": None}
    assert one["region"] == {"x": 1, "y": 2, "w": 30, "h": 40, **eyes}
    assert one["face_confidence"] == 0.99


def test_pyfeat_has_a_row_a_face() -> None:
    rows = as_pyfeat([frame(0, face(1), face(2)), frame(1), frame(2, face(2))])
    assert [row["frame"] for row in rows] == [0, 0, 2]
    assert rows[0]["FaceRectWidth"] == 30
    assert rows[0]["happiness"] == pytest.approx(0.9)


def test_eyes_are_the_persons_own() -> None:
    one = face(1)
    one["landmarks"] = {"left_eye": [20.4, 9.6], "right_eye": [8.0, 10.0]}
    (answer,) = as_deepface([one])
    assert answer["region"]["left_eye"] == (20, 10)
    assert answer["region"]["right_eye"] == (8, 10)


def test_what_they_do_not_take_is_named() -> None:
    cut_out = face(1)
    del cut_out["box"]  # type: ignore[misc]
    for adapter in (as_fer, as_deepface):
        with pytest.raises(ConfigError, match="a face without a box came"):
            adapter([cut_out])
    with pytest.raises(ConfigError, match="a dict came, expected frames of 'stream'"):
        as_pyfeat([face(1)])  # type: ignore[list-item]
    frame = StreamFrame(0, np.zeros((5, 6, 3), np.uint8), 0.0, [face(1)])
    with pytest.raises(ConfigError, match="a StreamFrame came, expected a list"):
        as_fer(frame)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a StreamFrame came, expected a list"):
        as_pyfeat(frame)  # type: ignore[arg-type]


def test_emotions_of_which_they_know_none_are_named() -> None:
    own = face(1)
    own["emotions"] = {"calm": 0.9, "tense": 0.1}
    told = "the model's emotions are calm, tense, expected some of anger, disgust"
    for adapter in (as_fer, as_deepface):
        with pytest.raises(ConfigError, match=told):
            adapter([own])
    with pytest.raises(ConfigError, match=told):
        as_pyfeat([frame(0, own)])


def test_where_nothing_but_contempt_is_seen_all_seven_are_zero() -> None:
    scornful = face(1)
    scornful["emotions"] = dict.fromkeys(scornful["emotions"], 0.0) | {"contempt": 1.0}
    assert set(as_fer([scornful])[0]["emotions"].values()) == {0.0}
    assert set(as_deepface([scornful])[0]["emotion"].values()) == {0.0}


@pytest.mark.parametrize(("time_s", "told"), [(754.9, "12:34"), (3754.9, "62:34")])
def test_pyfeat_tells_minutes_and_seconds(time_s: float, told: str) -> None:
    late = StreamFrame(9, np.zeros((5, 6, 3), np.uint8), time_s, [face(1)])
    assert as_pyfeat([late])[0]["approx_time"] == told
