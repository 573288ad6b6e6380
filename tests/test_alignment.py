import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.alignment import (
    CANONICAL_BOX,
    CANONICAL_LANDMARKS,
    around,
    cut,
    face_transform,
    whole,
)

SIDE = 48
CANONICAL = np.array(CANONICAL_LANDMARKS) * SIDE
Matrix = NDArray[np.float64]
Box = tuple[float, float, float, float]


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> Matrix:
    cos, sin = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def moved(points: NDArray[np.floating], transform: Matrix) -> Matrix:
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])


@pytest.fixture
def crop() -> NDArray[np.uint8]:
    """A smooth grey picture of the canonical size."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)


@pytest.fixture
def checkerboard() -> NDArray[np.uint8]:
    """Black and white pixels in turn."""
    pixels = np.indices((1200, 1200)).sum(axis=0) % 2 * 255
    return np.asarray(pixels, np.uint8)


SIMILARITIES = [
    similarity(1, 0, (0, 0)),
    similarity(2.5, 0, (100, -30)),
    similarity(0.4, 35, (7, 9)),
    similarity(11, -170, (900, 800)),
]


def moved_box(transform: Matrix) -> Box:
    """The box that a detector gives for the canonical face, moved: upright, of the same size."""
    scale = float(np.hypot(*transform[:, 0]))
    width, height = scale * SIDE * CANONICAL_BOX[2], scale * SIDE * CANONICAL_BOX[3]
    centre = np.array(CANONICAL_BOX[:2]) + np.array(CANONICAL_BOX[2:]) / 2
    x, y = moved(centre * SIDE, transform)
    return float(x) - width / 2, float(y) - height / 2, width, height


@pytest.mark.parametrize("transform", SIMILARITIES)
def test_a_similarity_is_recovered_from_box_and_landmarks(transform: Matrix) -> None:
    landmarks = moved(CANONICAL, transform)
    found = face_transform(moved_box(transform), landmarks, CANONICAL_LANDMARKS, SIDE)
    np.testing.assert_allclose(found, transform, atol=1e-9)


def test_the_turn_is_the_best_one_by_least_squares() -> None:
    true = similarity(3, 20, (50, 60))
    stray = np.random.default_rng(0).normal(0, 5, (5, 2))
    landmarks = moved(CANONICAL, true) + stray
    found = face_transform(moved_box(true), landmarks, CANONICAL_LANDMARKS, SIDE)
    assert np.hypot(*found[:, 0]) == pytest.approx(3)

    def error(degrees: float) -> float:
        """The least squared error of any scale and shift with this turn more."""
        turned = CANONICAL @ (similarity(1, degrees, (0, 0))[:, :2] @ found[:, :2]).T
        centred, wanted = turned - turned.mean(axis=0), landmarks - landmarks.mean(axis=0)
        scale = (centred * wanted).sum() / (centred**2).sum()
        return float(((scale * centred - wanted) ** 2).sum())

    assert error(0) < min(error(-0.5), error(0.5))


def test_a_face_seen_from_the_side_is_cut_as_large_as_its_box() -> None:
    close = (CANONICAL - CANONICAL.mean(axis=0)) * (0.3, 1) + CANONICAL.mean(axis=0)
    box = moved_box(similarity(1, 0, (0, 0)))
    found = face_transform(box, close, CANONICAL_LANDMARKS, SIDE)
    np.testing.assert_allclose(found, similarity(1, 0, (0, 0)), atol=0.05)


def test_landmarks_on_one_spot_are_cut_upright() -> None:
    box = (10.0, 20.0, 30.0, 40.0)
    found = face_transform(box, np.full((5, 2), 25.0), CANONICAL_LANDMARKS, SIDE)
    np.testing.assert_allclose(found, face_transform(box, None, CANONICAL_LANDMARKS, SIDE))


def test_canonical_box_and_landmarks_cut_the_picture_itself(crop: NDArray[np.uint8]) -> None:
    box = moved_box(similarity(1, 0, (0, 0)))
    transform = face_transform(box, CANONICAL, CANONICAL_LANDMARKS, SIDE)
    assert np.array_equal(cut(crop, transform, SIDE), crop)


@pytest.mark.parametrize("factor", [2, 3, 4, 7, 10])
def test_an_enlarged_face_is_cut_back_to_itself(factor: int, crop: NDArray[np.uint8]) -> None:
    large = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    box = moved_box(similarity(factor, 0, (0, 0)))
    transform = face_transform(box, CANONICAL * factor, CANONICAL_LANDMARKS, SIDE)
    face = cut(np.asarray(large, np.uint8), transform, SIDE)
    assert np.abs(face.astype(int) - crop).max() <= 2


@pytest.mark.parametrize(
    "transform",
    [
        similarity(0.4, 35, (70, 90)),
        similarity(1, 0, (100, 100)),
        similarity(2.5, -8, (100, 200)),
        similarity(6.4, 45, (400, 100)),
        similarity(11, -170, (900, 800)),
    ],
)
@pytest.mark.parametrize("place", [(12.3, 30.8), (24.0, 24.0), (33.5, 15.25)])
def test_a_point_lands_where_its_transform_says(
    transform: Matrix, place: tuple[float, float]
) -> None:
    scale = np.hypot(*transform[:, 0])
    x, y = moved(np.array(place), transform)
    width, height = 1000, 900
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    spread = 2.5 * scale  # a blob of the same size in every cut
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    face = cut((255 * blob).round().astype(np.uint8), transform, SIDE).astype(float)
    centres = np.arange(SIDE) + 0.5
    found = face.sum(axis=0) @ centres / face.sum(), face.sum(axis=1) @ centres / face.sum()
    np.testing.assert_allclose(found, place, atol=0.05)


@pytest.mark.parametrize("degrees", [0, 20])
@pytest.mark.parametrize("scale", [2.5, 7.3, 16.6])
def test_a_large_fine_pattern_averages_to_grey(
    scale: float, degrees: float, checkerboard: NDArray[np.uint8]
) -> None:
    transform = similarity(scale, degrees, (600, 600))
    transform[:, 2] -= transform[:, :2] @ [SIDE / 2, SIDE / 2]
    face = cut(checkerboard, transform, SIDE)
    assert np.abs(face.astype(int) - 127).max() <= 25


@pytest.mark.parametrize("scale", [0.5, 1, 5])
def test_the_border_is_repeated_outside_the_frame(scale: float) -> None:
    frame = np.full((60, 80), 100, np.uint8)
    frame[:, 0] = 200
    face = cut(frame, similarity(scale, 0, (-SIDE * scale / 2, 10)), SIDE)
    assert (face[:, : SIDE // 2 - 1] == 200).all()
    assert (cut(frame, similarity(scale, 0, (1000, 1000)), SIDE) == 100).all()


@pytest.mark.parametrize("shift", [(-40, -60), (100, 80), (500, 350)], ids=["low", "in", "high"])
@pytest.mark.parametrize(("scale", "degrees"), [(0.4, 20), (1.5, -30), (4.3, 10), (9.7, 170)])
def test_the_part_around_a_cut_is_all_that_it_needs(
    scale: float, degrees: float, shift: tuple[float, float]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
    frame = np.asarray(cv2.GaussianBlur(noise, (0, 0), 4), np.uint8)
    transform = similarity(scale, degrees, shift)
    part, moved_transform = around(frame, transform, SIDE)
    assert part.size <= frame.size
    there = cut(part, moved_transform, SIDE).astype(float)
    np.testing.assert_allclose(there, cut(frame, transform, SIDE).astype(float), atol=2)


@pytest.mark.parametrize("shift", [(101, 83), (500, 350)], ids=["in", "high"])
@pytest.mark.parametrize(("scale", "degrees"), [(0.4, 20), (1.5, -30), (4.3, 10), (9.7, 170)])
def test_the_part_around_a_cut_holds_its_finest_grain(
    scale: float, degrees: float, shift: tuple[float, float]
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
    transform = similarity(scale, degrees, shift)
    there = cut(*around(frame, transform, SIDE), SIDE).astype(float)
    np.testing.assert_allclose(there, cut(frame, transform, SIDE).astype(float), atol=8)


def test_a_cut_does_not_change_the_frame(crop: NDArray[np.uint8]) -> None:
    kept = crop.copy()
    crop.flags.writeable = False
    cut(crop, similarity(2, 10, (3, 4)), SIDE)
    assert np.array_equal(crop, kept)


@pytest.mark.parametrize("transform", [similarity(1, 0, (0, 0)), similarity(3.7, 0, (120, 40))])
def test_a_box_alone_gives_the_upright_transform(transform: Matrix) -> None:
    found = face_transform(moved_box(transform), None, CANONICAL_LANDMARKS, SIDE)
    np.testing.assert_allclose(found, transform, atol=1e-9)


def test_boxes_of_the_same_area_and_centre_give_the_same_cut() -> None:
    np.testing.assert_allclose(
        face_transform((0, 50, 200, 100), None, CANONICAL_LANDMARKS, SIDE),
        face_transform((50, 0, 100, 200), None, CANONICAL_LANDMARKS, SIDE),
    )


def test_a_whole_face_of_the_right_size_comes_back_unchanged() -> None:
    face = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    assert np.array_equal(whole(face, SIDE), face)


def test_a_whole_face_is_scaled_by_areas() -> None:
    face = np.random.default_rng(0).integers(0, 256, (SIDE * 4, SIDE * 4), np.uint8)
    means = face.reshape(SIDE, 4, SIDE, 4).mean(axis=(1, 3))
    assert np.abs(whole(face, SIDE) - means).max() <= 0.5


def test_a_whole_face_that_is_not_square_is_padded_by_its_border() -> None:
    face = np.full((SIDE, 16), 90, np.uint8)
    face[:, 0], face[:, -1] = 10, 250
    padded = whole(face, SIDE)
    assert (padded[:, :17] == 10).all()
    assert (padded[:, 17:31] == 90).all()
    assert (padded[:, 31:] == 250).all()
    assert np.array_equal(whole(face.T, SIDE), padded.T)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5), (500, 20), (1, 1_000_000)])
def test_whole_faces_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    assert (whole(np.full(shape, 77, np.uint8), SIDE) == np.full((SIDE, SIDE), 77)).all()
