from typing import cast

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from mien.datasets.faces import FaceSet
from mien.evaluation.certainty import Answers
from mien.evaluation.robustness import CHANGES, LOSES_FACE, changed, measure_robustness
from mien.evaluation.scoring import classify_faces
from mien.model_file import ModelFile
from tests.evaluation.bright_model import made_model
from tests.made import made_face

Image = NDArray[np.uint8]
SIDE = 48


def face_set(images: Image) -> FaceSet:
    count = len(images)
    return FaceSet(images, np.zeros((count, 10), np.int64), ("",) * count, "")


def after(name: str, images: Image, seed: int = 0) -> Image:
    return changed(face_set(images), CHANGES[name], seed).images


GREY = np.full((1, SIDE, SIDE), 100, dtype=np.uint8)
FACES = np.stack([made_face(label, np.random.default_rng(label)) for label in range(8)])
#: Bright on the right half: (48, 48).
STEP = np.repeat(np.where(np.arange(SIDE) < 24, 0, 200)[None], SIDE, axis=0).astype(np.uint8)


@pytest.mark.parametrize("name", CHANGES)
def test_the_seed_decides_and_every_face_is_changed(name: str) -> None:
    once, again = after(name, FACES, seed=3), after(name, FACES, seed=3)
    np.testing.assert_array_equal(once, again)
    assert once.dtype == np.uint8
    assert once.shape != FACES.shape or (once != FACES).any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", CHANGES)
def test_the_faces_given_stay_as_they_are(name: str) -> None:
    faces = FACES.copy()
    after(name, faces)
    np.testing.assert_array_equal(faces, FACES)


def test_colour_becomes_grey() -> None:
    colour = np.repeat(FACES[..., None], 3, axis=-1)
    name = "JPEG at quality 20"
    np.testing.assert_array_equal(after(name, colour), after(name, FACES))


@pytest.mark.parametrize(
    ("name", "grey", "expected"),
    [
        ("brightness -40 %", 100, 60),
        ("brightness +40 %", 100, 140),
        ("brightness +40 %", 200, 255),
        ("rotated by 20 degrees", 100, 100),
        ("cut 20 % looser", 100, 100),
        ("shifted by 10 %", 100, 100),
    ],
)
def test_of_one_grey_comes_one_grey(name: str, grey: int, expected: int) -> None:
    found = after(name, np.full((1, SIDE, SIDE), grey, dtype=np.uint8))
    assert np.unique(found).tolist() == [expected]


def test_noise_has_the_stated_deviation() -> None:
    noise = after("Gaussian noise, deviation 20 of 255", GREY).astype(float) - 100
    assert abs(noise.mean()) < 2
    assert noise.std() == pytest.approx(20, rel=0.1)


def test_a_quarter_is_covered() -> None:
    covered = after("a quarter covered by one grey", np.repeat(GREY, 20, axis=0))
    shares = (covered != 100).mean(axis=(1, 2))
    assert np.isin(shares, [0, 0.25]).all()
    assert shares.max() == 0.25
    assert len({tuple(np.argwhere(one != 100)[0]) for one in covered if (one != 100).any()}) > 10


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("half the size", (24, 24)),
        ("12 pixels", (12, 12)),
        ("left or right half alone", (48, 24)),
        ("upper or lower half alone", (24, 48)),
    ],
)
def test_sizes(name: str, shape: tuple[int, int]) -> None:
    assert after(name, FACES).shape == (8, *shape)


def test_halves_are_those_of_the_face() -> None:
    halves = {int(half.mean()) for half in after("left or right half alone", np.stack([STEP] * 20))}
    assert halves == {0, 200}
    turned = np.stack([STEP.T] * 20)
    assert {int(half.mean()) for half in after("upper or lower half alone", turned)} == {0, 200}


def test_a_tighter_cut_shows_four_fifths_of_the_face_and_a_looser_one_six_fifths() -> None:
    # A bright middle of 24 pixels becomes 30 and 20 wide.
    places = np.abs(np.arange(SIDE) - 23.5) < 12
    middle = np.repeat(np.where(places, 200, 0)[None], SIDE, axis=0).astype(np.uint8)
    for name, width in (("cut 20 % tighter", 30), ("cut 20 % looser", 20)):
        row = after(name, middle[None])[0, 24]
        assert row.sum() / 200 == pytest.approx(width, abs=0.2)
        np.testing.assert_allclose(row, row[::-1], atol=2)  # the centre stays


def test_a_shift_is_by_a_tenth_of_the_side() -> None:
    disc = np.hypot(*(np.indices((SIDE, SIDE)) - 23.5)) < 6
    faces = np.stack([disc * np.uint8(200)] * 10)
    moved = after("shifted by 10 %", faces).astype(float)
    weights = moved / moved.sum(axis=(1, 2), keepdims=True)
    y, x = ((weights * places).sum(axis=(1, 2)) - 23.5 for places in np.indices((SIDE, SIDE)))
    np.testing.assert_allclose(np.hypot(x, y), 4.8, atol=0.1)
    assert x.std() > 1
    assert y.std() > 1


def test_what_loses_the_face_is_among_the_changes() -> None:
    assert set(LOSES_FACE) < set(CHANGES)


class Session:
    """Answers by a face's brightness, which its likeness to a face is too."""

    def run(self, _outputs: list[str], feeds: dict[str, Image]) -> list[NDArray[np.float32]]:
        brightness = feeds["faces"].mean(axis=(1, 2)) - np.float32(100)
        logits = np.stack([brightness, np.zeros_like(brightness)], axis=1)
        return [logits.astype(np.float32), brightness[:, None].astype(np.float32) / 100]


def test_losses_and_likeness_are_counted_from_the_unchanged_faces() -> None:
    session = cast(onnxruntime.InferenceSession, Session())
    model = ModelFile("made", session, made_model().metadata)
    bright = face_set(np.stack([np.full((SIDE, SIDE), 120 + n, np.uint8) for n in range(5)]))
    unchanged = Answers.of(classify_faces(model, bright), model.metadata.calibration)
    found = measure_robustness(model, bright, np.zeros(5, np.int64), unchanged)
    scores = {one.scores.change: one.scores for one in found}
    darker, brighter = scores["brightness -40 %"], scores["brightness +40 %"]
    assert (darker.accuracy.value, darker.loss, darker.likeness_auroc) == (0, 1, 1)
    assert (brighter.accuracy.value, brighter.loss, brighter.likeness_auroc) == (1, 0, 0)
