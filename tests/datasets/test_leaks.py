import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.datasets.faces import FaceSet
from mien.datasets.leaks import (
    BATCH,
    MOST_DIFFERENT_BITS,
    close_pairs,
    find_leaks,
    perceptual_hashes,
    without_leaks,
    write_leaks,
)
from mien.datasets.sets import DataSet
from tests.made import distinct_face

Image = NDArray[np.uint8]

GENERATOR = np.random.default_rng(0)
FACES = np.stack([distinct_face(label % 8, GENERATOR) for label in range(40)])


def face_set(images: Image, name: str = "") -> FaceSet:
    votes = np.zeros((len(images), 10), np.int64)
    names = tuple(f"{name}{number}.png" for number in range(len(images)))
    return FaceSet(images, votes, names, "made")


def test_pairs_are_those_that_differ_in_few_bits() -> None:
    ours, theirs = (GENERATOR.random((count, 12)) < 0.5 for count in (30, 20))
    different = (ours[:, None] != theirs).sum(axis=2)
    expected = {(row, column, different[row, column]) for row, column in np.argwhere(different < 4)}
    assert set(close_pairs(ours, theirs, 3)) == expected


def test_pairs_are_found_however_many_faces_there_are() -> None:
    ours = GENERATOR.random((BATCH + 2, 255)) < 0.5
    assert list(close_pairs(ours, ours[[-1, 0]], 0)) == [(0, 1, 0), (BATCH + 1, 0, 0)]


@pytest.mark.parametrize("change", ["darker", "larger", "compressed", "in colour"])
def test_a_changed_copy_looks_the_same_and_other_faces_do_not(change: str) -> None:
    changed = np.stack([copy_of(face, change) for face in FACES])
    pairs = close_pairs(perceptual_hashes(FACES), perceptual_hashes(changed), MOST_DIFFERENT_BITS)
    assert {(row, column) for row, column, _ in pairs} == {(row, row) for row in range(len(FACES))}


def copy_of(face: Image, change: str) -> Image:
    if change == "darker":
        return (0.7 * face + 10).astype(np.uint8)
    if change == "larger":
        larger = cv2.resize(face, (112, 112), interpolation=cv2.INTER_CUBIC)
        return np.asarray(larger, dtype=np.uint8)
    if change == "compressed":
        file = cv2.imencode(".jpg", face)[1]
        return np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return np.dstack([face] * 3)


def test_leaks_are_found_across_sets_and_splits(tmp_path: Path) -> None:
    brighter = (0.8 * FACES + 40).astype(np.uint8)
    one = DataSet(
        Path("one"),
        {
            "train": face_set(FACES[:10], "a"),
            "valid": face_set(FACES[8:14], "b"),  # the first two are in its own train
            "test": face_set(FACES[14:16], "c"),
        },
    )
    two = DataSet(Path("two"), {"train": face_set(brighter[12:20], "d")})
    leaks = find_leaks([one, two])
    found = {(leak.train.name, leak.held_out.name): leak.is_between_sets for leak in leaks}
    assert found == {
        ("a8.png", "b0.png"): False,
        ("a9.png", "b1.png"): False,
        ("d0.png", "b4.png"): True,
        ("d1.png", "b5.png"): True,
        ("d2.png", "c0.png"): True,
        ("d3.png", "c1.png"): True,
    }
    assert [leak.different_bits for leak in leaks] == sorted(leak.different_bits for leak in leaks)

    cleaned = without_leaks([one, two], leaks)
    assert cleaned[0].splits["train"].names == one.splits["train"].names
    assert cleaned[1].splits["train"].names == ("d4.png", "d5.png", "d6.png", "d7.png")

    write_leaks(tmp_path / "leaks.csv", leaks)
    with (tmp_path / "leaks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "set": "one",
        "name": "a8.png",
        "like_set": "one",
        "like_split": "valid",
        "like_name": "b0.png",
        "different_bits": "0",
    }
    assert len(rows) == 6


def test_a_name_with_a_carriage_return_comes_back(tmp_path: Path) -> None:
    splits = {"train": face_set(FACES[:1], "a\rb"), "valid": face_set(FACES[:1], "c")}
    write_leaks(tmp_path / "leaks.csv", find_leaks([DataSet(Path("one"), splits)]))
    with (tmp_path / "leaks.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["a\rb0.png"]


def test_without_held_out_faces_there_is_no_leak() -> None:
    only = DataSet(Path("only"), {"train": face_set(FACES)})
    assert find_leaks([only]) == []
