import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.alignment import (
    CANONICAL_BOX,
    CANONICAL_LANDMARKS,
    box_transform,
    cut,
    landmark_transform,
    whole,
)

SIDE = 48
CANONICAL = np.array(CANONICAL_LANDMARKS) * SIDE
Matrix = NDArray[np.float64]


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


@pytest.mark.parametrize("transform", SIMILARITIES)
def test_a_similarity_is_recovered_from_its_landmarks(transform: Matrix) -> None:
    found = landmark_transform(moved(CANONICAL, transform), CANONICAL_LANDMARKS, SIDE)
    np.testing.assert_allclose(found, transform, atol=1e-9)


def test_the_fit_is_the_best_one_by_least_squares() -> None:
    stray = np.random.default_rng(0).normal(0, 5, (5, 2))
    landmarks = moved(CANONICAL, similarity(3, 20, (50, 60))) + stray
    best = landmark_transform(landmarks, CANONICAL_LANDMARKS, SIDE)
    error = ((moved(CANONICAL, best) - landmarks) ** 2).sum()
    for change in (1.01, 0.99):
        for scale, turn, shift in [(change, 0, 0), (1, change - 1, 0), (1, 0, change - 1)]:
            other = similarity(scale, np.rad2deg(turn), (0, 0))[:, :2] @ best
            other[:, 2] = best[:, 2] + shift
            assert ((moved(CANONICAL, other) - landmarks) ** 2).sum() > error


def test_canonical_landmarks_cut_the_picture_itself(crop: NDArray[np.uint8]) -> None:
    transform = landmark_transform(CANONICAL, CANONICAL_LANDMARKS, SIDE)
    assert np.array_equal(cut(crop, transform, SIDE), crop)


@pytest.mark.parametrize("factor", [2, 3, 4, 7, 10])
def test_an_enlarged_face_is_cut_back_to_itself(factor: int, crop: NDArray[np.uint8]) -> None:
    large = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    transform = landmark_transform(CANONICAL * factor, CANONICAL_LANDMARKS, SIDE)
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


def test_a_cut_does_not_change_the_frame(crop: NDArray[np.uint8]) -> None:
    kept = crop.copy()
    crop.flags.writeable = False
    cut(crop, similarity(2, 10, (3, 4)), SIDE)
    assert np.array_equal(crop, kept)


@pytest.mark.parametrize("transform", [similarity(1, 0, (0, 0)), similarity(3.7, 0, (120, 40))])
def test_a_box_and_landmarks_give_the_same_transform(transform: Matrix) -> None:
    x, y, width, height = np.array(CANONICAL_BOX) * SIDE
    (left, top), (right, bottom) = moved(np.array([[x, y], [x + width, y + height]]), transform)
    found = box_transform((left, top, right - left, bottom - top), SIDE)
    np.testing.assert_allclose(found, transform, atol=1e-9)


def test_boxes_of_the_same_area_and_centre_give_the_same_cut() -> None:
    np.testing.assert_allclose(
        box_transform((0, 50, 200, 100), SIDE), box_transform((50, 0, 100, 200), SIDE)
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


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5), (500, 20)])
def test_whole_faces_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    assert (whole(np.full(shape, 77, np.uint8), SIDE) == np.full((SIDE, SIDE), 77)).all()
