import pytest

from mien.adapters import as_deepface, as_fer, as_pyfeat
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
    assert one["region"] == {"x": 1, "y": 2, "w": 30, "h": 40}
    assert one["face_confidence"] == 0.99


def test_pyfeat_has_a_row_a_face() -> None:
    rows = as_pyfeat([frame(0, face(1), face(2)), frame(1), frame(2, face(2))])
    assert [row["frame"] for row in rows] == [0, 0, 2]
    assert rows[0]["FaceRectWidth"] == 30
    assert rows[0]["happiness"] == pytest.approx(0.9)
