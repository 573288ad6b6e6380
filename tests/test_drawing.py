from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.drawing import COLORS, draw_faces, label_text
from mien.images import to_rgb
from mien.labels import EMOTIONS
from mien.results import FaceResult

Picture = NDArray[np.uint8]


def face(box: tuple[int, int, int, int], **changes: Any) -> FaceResult:
    answer: FaceResult = {
        "box": list(box),
        "face_confidence": 0.99,
        "landmarks": None,
        "emotion": "happiness",
        "confidence": 0.93,
        "emotions": {"happiness": 0.93, "neutral": 0.07},
        "uncertainty": 0.3,
        "candidates": ["happiness"],
        "face_likeness": 0.9,
        "uncertain": False,
    }
    return {**answer, **changes}  # type: ignore[typeddict-item]


@pytest.fixture
def picture() -> Picture:
    return np.random.default_rng(0).integers(90, 110, (300, 400, 3), np.uint8)


def changed(before: Picture, after: Picture) -> NDArray[np.bool_]:
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    return np.asarray((before != after).any(axis=2))


def colors_of(pixels: Picture) -> set[str]:
    return {"#{:02X}{:02X}{:02X}".format(*color) for color in pixels.reshape(-1, 3).tolist()}


def test_only_the_box_and_its_label_are_drawn(picture: Picture) -> None:
    where = changed(picture, draw_faces(picture, [face((150, 120, 100, 110))]))
    rows, columns = np.nonzero(where)
    assert 80 <= rows.min() < 120
    assert 229 <= rows.max() < 240
    assert 140 < columns.min() <= 150
    assert 249 <= columns.max() < 300
    assert not where[126:224, 156:244].any()


def test_the_input_is_not_touched(picture: Picture) -> None:
    kept = picture.copy()
    drawn = draw_faces(picture, [face((10, 10, 50, 50))])
    assert np.array_equal(picture, kept)
    picture.flags.writeable = False
    assert np.array_equal(draw_faces(picture, [face((10, 10, 50, 50))]), drawn)


def test_without_faces_comes_a_copy(picture: Picture) -> None:
    drawn = draw_faces(picture, [])
    assert np.array_equal(drawn, picture)
    assert not np.shares_memory(drawn, picture)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_box_has_the_colour_of_its_emotion(emotion: str, picture: Picture) -> None:
    drawn = draw_faces(picture, [face((150, 120, 100, 110), emotion=emotion)])
    assert colors_of(drawn[120, 150:250]) == {COLORS[emotion]}
    assert colors_of(drawn[120:230, 249]) == {COLORS[emotion]}
    assert len(set(COLORS.values())) == len(EMOTIONS)


@pytest.mark.parametrize("emotion", ["boredom", "", "müde"])
def test_an_unknown_label_has_a_colour(emotion: str, picture: Picture) -> None:
    drawn = draw_faces(picture, [face((150, 120, 100, 110), emotion=emotion)])
    (color,) = colors_of(drawn[229, 150:250])
    assert color not in COLORS.values()


def test_an_uncertain_answer_looks_different(picture: Picture) -> None:
    sure = draw_faces(picture, [face((150, 120, 100, 110))])
    unsure = draw_faces(picture, [face((150, 120, 100, 110), uncertain=True)])
    for edge in (np.s_[229, 150:250], np.s_[120:230, 150], np.s_[120:230, 249]):
        assert colors_of(sure[edge]) == {COLORS["happiness"]}
        assert colors_of(unsure[edge]) == {COLORS["happiness"], "#000000"}


def test_the_label_says_emotion_confidence_and_doubt() -> None:
    assert label_text(face((0, 0, 1, 1))) == "happiness 93%"
    assert label_text(face((0, 0, 1, 1), uncertain=True)) == "happiness 93% ?"


def test_larger_faces_lie_on_top(picture: Picture) -> None:
    large = face((100, 100, 200, 180))
    small = face((90, 90, 150, 100), emotion="anger")
    drawn = draw_faces(picture, [large, small])
    assert COLORS["happiness"] in colors_of(drawn[189, 100:102])
    assert np.array_equal(drawn[100:280, 299], draw_faces(picture, [large])[100:280, 299])


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 60, 60),
        (340, 0, 60, 60),
        (0, 240, 60, 60),
        (340, 240, 60, 60),
        (0, 0, 400, 300),
        (0, 0, 1, 1),
        (399, 299, 1, 1),
        (200, 150, 1, 1),
        (200, 150, 1, 90),
        (200, 150, 90, 1),
    ],
)
def test_boxes_anywhere_are_drawn_with_their_label(
    box: tuple[int, int, int, int], uncertain: bool, picture: Picture
) -> None:
    where = changed(picture, draw_faces(picture, [face(box, uncertain=uncertain)]))
    x, y, width, height = box
    assert where[y, x]
    assert where[y + height - 1, x + width - 1]
    assert where.sum() > 500  # the label's plate lies inside the picture


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (2, 300), (300, 2)])
def test_tiny_pictures_are_drawn_on(shape: tuple[int, int], uncertain: bool) -> None:
    tiny = np.full((*shape, 3), 50, np.uint8)
    box = (0, 0, shape[1], shape[0])
    assert changed(tiny, draw_faces(tiny, [face(box, uncertain=uncertain)])).any()


def test_grey_pictures_are_drawn_on_in_colour(picture: Picture) -> None:
    grey = to_rgb(picture[..., 0])
    drawn = draw_faces(grey, [face((150, 120, 100, 110))])
    assert COLORS["happiness"] in colors_of(drawn)


def test_lines_grow_with_the_picture() -> None:
    small, large = (np.zeros((side, side, 3), np.uint8) for side in (250, 2500))
    thin = draw_faces(small, [face((100, 100, 100, 100))])
    thick = draw_faces(large, [face((1000, 1000, 1000, 1000))])
    assert thin[150, 100:130].any(axis=1).sum() == 1
    assert thick[1500, 1000:1300].any(axis=1).sum() == 10
