import numpy as np

from mien.evaluation.not_faces import KINDS, made_not_faces
from tests.made import made_face

FACES = np.stack([made_face(label, np.random.default_rng(label)) for label in range(8)])


def test_the_seed_decides() -> None:
    once, again, other = (made_not_faces(FACES, 40, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any(axis=(1, 2)).all()


def test_cuts_are_as_large_as_faces_and_all_differ() -> None:
    made = made_not_faces(FACES, 3 * len(KINDS))
    assert made.shape == (3 * len(KINDS), 48, 48)
    assert made.dtype == np.uint8
    assert len({cut.tobytes() for cut in made}) == len(made)


def test_other_sides_than_48_pixels_do() -> None:
    assert made_not_faces(np.zeros((1, 64, 64), np.uint8), len(KINDS)).shape[1:] == (64, 64)


def test_no_face_is_among_them() -> None:
    made = {cut.tobytes() for cut in made_not_faces(FACES, 100)}
    assert made.isdisjoint({face.tobytes() for face in FACES})
