from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageColor

from mien import ConfigError
from mien.drawing import COLORS, draw_faces, emotion_colors, label_text
from mien.images import to_rgb
from mien.labels import EMOTIONS
from mien.results import FaceResult

Picture = NDArray[np.uint8]

SHARES = (0.1, 0.4, 0.15, 0.25, 0.05, 0.03, 0.02, 0.0)


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


@pytest.mark.parametrize("bars", [False, True])
def test_the_input_is_not_touched(bars: bool, picture: Picture) -> None:
    kept = picture.copy()
    drawn = draw_faces(picture, [face((10, 10, 50, 50))], bars)
    assert np.array_equal(picture, kept)
    picture.flags.writeable = False
    assert np.array_equal(draw_faces(picture, [face((10, 10, 50, 50))], bars), drawn)
    mirrored = draw_faces(picture[:, ::-1], [face((10, 10, 50, 50))], bars)
    assert changed(picture[:, ::-1], mirrored).any()
    assert np.array_equal(picture, kept)


def test_a_face_without_a_box_is_refused(picture: Picture) -> None:
    cut_out = face((150, 120, 100, 110))
    del cut_out["box"]  # type: ignore[misc]
    told = "a face without a box came, expected results of 'run' or 'stream'"
    for faces in ([face((10, 10, 50, 50)), cut_out], cut_out):
        with pytest.raises(ConfigError, match=told):
            draw_faces(picture, faces)  # type: ignore[arg-type]


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
    emotions = {"happiness": 0.1, emotion: 0.7, "neutral": 0.2}
    drawn = draw_faces(picture, [face((150, 120, 100, 110), emotion=emotion, emotions=emotions)])
    (color,) = colors_of(drawn[229, 150:250])
    assert color not in (COLORS["happiness"], COLORS["neutral"])


@pytest.mark.parametrize(("one", "other"), [("é", "ü"), ("Ж", "Я"), ("λ", "ω")])
def test_letters_of_other_alphabets_are_told_apart(one: str, other: str, picture: Picture) -> None:
    drawn = [
        draw_faces(picture, [face((150, 120, 100, 110), emotion=name, emotions={name: 1.0})])
        for name in (one, other)
    ]
    assert changed(*drawn).any()


def test_box_and_bar_have_the_same_colour(picture: Picture) -> None:
    emotions = {"bored": 0.7, "tense": 0.3}
    one = face((100, 100, 120, 130), emotion="bored", emotions=emotions)
    drawn = draw_faces(picture, [one], bars=True)
    colors = emotion_colors(["bored", "tense"])
    assert colors_of(drawn[229, 100:220]) == {colors["bored"]}
    assert set(colors.values()) <= colors_of(drawn)


def test_an_uncertain_answer_looks_different(picture: Picture) -> None:
    sure = draw_faces(picture, [face((150, 120, 100, 110))])
    unsure = draw_faces(picture, [face((150, 120, 100, 110), uncertain=True)])
    for edge in (np.s_[229, 150:250], np.s_[120:230, 150], np.s_[120:230, 249]):
        assert colors_of(sure[edge]) == {COLORS["happiness"]}
        assert colors_of(unsure[edge]) == {COLORS["happiness"], "#000000"}


def test_an_uncertain_label_is_hollow(picture: Picture) -> None:
    yellow = ImageColor.getrgb(COLORS["happiness"])
    filled, hollow = (
        (draw_faces(picture, [face((150, 120, 100, 110), uncertain=uncertain)])[:118] == yellow)
        .all(axis=2)
        .sum()
        for uncertain in (False, True)
    )
    assert 0 < 3 * hollow < filled


def test_a_followed_face_shows_its_number(picture: Picture) -> None:
    followed = face((150, 120, 100, 110), track_id=3)
    assert label_text(followed) == "#3 happiness 93%"
    first, second = (
        draw_faces(picture, [face((150, 120, 100, 110), track_id=number)], bars=True)
        for number in (1, 2)
    )
    where = changed(first, second)
    assert where.any()
    assert not where[120:].any()


def test_the_label_says_emotion_confidence_and_doubt() -> None:
    assert label_text(face((0, 0, 1, 1))) == "happiness 93%"
    assert label_text(face((0, 0, 1, 1), uncertain=True)) == "happiness 93% ?"


@pytest.mark.parametrize(
    ("confidence", "said"), [(0.9949, "99%"), (0.995, ">99%"), (1.0, ">99%"), (0.004, "0%")]
)
def test_only_what_is_below_it_is_called_99_percent(confidence: float, said: str) -> None:
    assert label_text(face((0, 0, 1, 1), confidence=confidence)) == f"happiness {said}"


def test_larger_faces_lie_on_top(picture: Picture) -> None:
    large = face((100, 100, 200, 180))
    small = face((90, 90, 150, 100), emotion="anger")
    drawn = draw_faces(picture, [large, small])
    assert COLORS["happiness"] in colors_of(drawn[189, 100:102])
    assert np.array_equal(drawn[100:280, 299], draw_faces(picture, [large])[100:280, 299])


@pytest.mark.parametrize("bars", [False, True])
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
    box: tuple[int, int, int, int], uncertain: bool, bars: bool, picture: Picture
) -> None:
    where = changed(picture, draw_faces(picture, [face(box, uncertain=uncertain)], bars))
    x, y, width, height = box
    assert where[y, x]
    assert where[y + height - 1, x + width - 1]
    assert where.sum() > 500  # the label's plate lies inside the picture


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (2, 300), (300, 2)])
def test_tiny_pictures_are_drawn_on(shape: tuple[int, int], uncertain: bool) -> None:
    tiny = np.full((*shape, 3), 50, np.uint8)
    box = (0, 0, shape[1], shape[0])
    assert changed(tiny, draw_faces(tiny, [face(box, uncertain=uncertain)], bars=True)).any()


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


@pytest.mark.parametrize("box", [(1000, 500, 24, 1200), (500, 1000, 1200, 24)])
def test_lines_of_a_narrow_box_stay_thin(box: tuple[int, int, int, int]) -> None:
    drawn = draw_faces(np.zeros((2500, 2500, 3), np.uint8), [face(box)])
    x, y, width, height = box
    assert not drawn[y + 2 : y + height - 2, x + 2 : x + width - 2].any()


def extent(where: NDArray[np.bool_]) -> tuple[int, int]:
    """Height and width of what has changed."""
    rows, columns = np.nonzero(where)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def panel_of(picture: Picture, *faces: FaceResult) -> NDArray[np.bool_]:
    """Where the bars change a picture."""
    return changed(draw_faces(picture, faces), draw_faces(picture, faces, bars=True))


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_bars_are_as_long_as_their_probabilities(shade: int) -> None:
    plain = np.full((1200, 800, 3), shade, np.uint8)
    emotions = dict(zip(EMOTIONS, SHARES, strict=True))
    drawn = draw_faces(plain, [face((10, 40, 150, 300), emotion="", emotions=emotions)], True)
    lengths, heights = [], []
    for emotion in EMOTIONS[1:]:  # neutral's grey could be writing
        in_row = (drawn == ImageColor.getrgb(COLORS[emotion])).all(axis=2).sum(axis=1)
        lengths.append(in_row.max())
        heights.append(in_row.argmax())
    assert lengths[0] > 25
    np.testing.assert_allclose(lengths, lengths[0] / SHARES[1] * np.array(SHARES[1:]), atol=1.1)
    assert lengths[-1] == 0
    assert heights[:-1] == sorted(set(heights[:-1]))


def test_of_labels_that_find_no_room_apart_the_first_lies_on_top() -> None:
    dark = np.full((14, 90, 3), 9, np.uint8)
    first, second = face((0, 0, 90, 14), emotion="anger"), face((0, 0, 90, 14))
    alone, other = (
        draw_faces(dark, [{**first, "confidence": confidence}]) for confidence in (0.93, 0.51)
    )
    is_written = changed(alone, other)
    assert is_written.sum() > 20
    drawn = draw_faces(dark, [first, second])
    assert np.array_equal(drawn[is_written], alone[is_written])


def test_the_panels_row_of_the_answer_is_brighter(picture: Picture) -> None:
    emotions = {"happiness": 0.4, "anger": 0.3, "neutral": 0.3}
    bright = []
    for emotion in ("happiness", "neutral"):
        one = face((100, 100, 120, 130), emotion=emotion, emotions=emotions)
        panel = panel_of(picture, one)
        rows = np.nonzero(panel.any(axis=1))[0]
        is_white = panel & (draw_faces(picture, [one], bars=True) > 220).all(axis=2)
        bright.append(np.flatnonzero(is_white[rows].any(axis=1)) / len(rows))
    assert bright[0].max() < 0.4
    assert bright[1].min() > 0.6


@pytest.mark.parametrize("place", [(0, 0), (300, 0), (0, 200), (300, 200)])
def test_a_label_lies_by_its_face(place: tuple[int, int], picture: Picture) -> None:
    x, y = place
    rows, columns = np.nonzero(changed(picture, draw_faces(picture, [face((x, y, 100, 100))])))
    assert y - 30 < rows.min() <= rows.max() < y + 130
    assert x - 120 < columns.min() <= columns.max() < x + 220


@pytest.mark.parametrize("x", [0, 100, 540])
@pytest.mark.parametrize("y", [0, 200, 380])
def test_labels_and_panels_are_whole_wherever_the_face_is(x: int, y: int) -> None:
    plain = np.full((480, 640, 3), 128, np.uint8)
    middle, there = face((270, 190, 100, 100)), face((x, y, 100, 100))
    assert extent(panel_of(plain, there)) == extent(panel_of(plain, middle))
    outside = []
    for one in (middle, there):
        left, top, width, height = one["box"]
        where = changed(plain, draw_faces(plain, [one]))
        where[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1] = False
        outside.append(where.sum())
    assert outside[0] == outside[1]


def test_a_label_shrinks_into_a_narrow_picture() -> None:
    narrow = np.full((400, 100, 3), 9, np.uint8)
    drawn = draw_faces(narrow, [face((30, 99, 60, 80), track_id=12, uncertain=True)])
    frame = (drawn[:97] == ImageColor.getrgb(COLORS["happiness"])).all(axis=2)
    sides = np.nonzero(frame.sum(axis=0) > 8)[0]
    assert len(sides) == 2
    assert 60 < np.ptp(sides) < 100


def test_panels_leave_faces_and_labels_free(picture: Picture) -> None:
    boxes = [(687, 293, 105, 128), (316, 233, 98, 129), (530, 309, 98, 126), (214, 65, 95, 113)]
    faces = [face(box, track_id=i) for i, box in enumerate([*boxes, (435, 218, 82, 98)])]
    wide = np.tile(picture, (3, 3, 1))[:667, :1000]
    plain = draw_faces(wide, faces)
    panels = panel_of(wide, *faces)
    assert not (panels & changed(wide, plain)).any()
    for one in faces:
        x, y, width, height = one["box"]
        assert not panels[y : y + height, x : x + width].any()
    assert panels.sum() == pytest.approx(5 * panel_of(wide, faces[0]).sum(), rel=0.01)


@pytest.mark.parametrize("count", [7, 8, 12])
def test_a_panel_has_a_row_for_every_class(count: int, picture: Picture) -> None:
    two, several = (
        extent(
            panel_of(
                picture,
                face((20, 30, 50, 60), emotions={f"class {i:02}": 1 / rows for i in range(rows)}),
            )
        )
        for rows in (2, count)
    )
    row_height = (several[0] - two[0]) / (count - 2)
    assert row_height >= 9
    assert row_height == round(row_height)
    assert several[1] == two[1]


def test_a_panel_that_cannot_be_read_is_left_out(picture: Picture) -> None:
    classes = {f"class {i}": 0.01 for i in range(100)}
    assert not panel_of(picture, face((20, 30, 50, 60), emotions=classes)).any()
    assert not panel_of(np.ascontiguousarray(picture[:32, :32]), face((4, 4, 20, 24))).any()


@pytest.mark.parametrize("shape", [(32, 32), (4000, 100), (100, 4000), (3000, 4000)])
def test_pictures_of_all_sizes_are_drawn_on(shape: tuple[int, int]) -> None:
    dark = np.full((*shape, 3), 9, np.uint8)
    height, width = shape
    faces = [
        face((i * width // 14, i * height // 14, width // 3, height // 3), uncertain=i % 2 == 0)
        for i in range(12)
    ]
    faces.append(face((0, 0, width, height)))
    drawn = draw_faces(dark, faces, bars=True)
    assert changed(dark, drawn).any()


def test_a_tiny_face_can_still_be_seen() -> None:
    large = np.full((1000, 1500, 3), 9, np.uint8)
    where = changed(large, draw_faces(large, [face((700, 500, 12, 12), uncertain=True)], True))
    assert where[500, 700]
    assert not where[502:510, 702:710].any()
    assert where.sum() < 30_000


def test_threads_draw_the_same(picture: Picture) -> None:
    faces = [face((20 + i, 40, 60, 70), track_id=i, confidence=i / 100) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: draw_faces(picture, [one], True), faces))
    for one, drawn in zip(faces, together, strict=True):
        assert np.array_equal(drawn, draw_faces(picture, [one], True))
