import shutil
from pathlib import Path

import numpy as np
import pytest

from mien import DataError
from mien.datasets.inspection import inspect
from mien.datasets.sets import has_split, read_data_set, read_split
from mien.datasets.votes import majority_targets, soft_targets
from mien.labels import EMOTIONS
from tests.made import write_prepared_faces

LABELS = ("fear", "other", "happiness")


def test_labels_count_as_votes(tmp_path: Path) -> None:
    write_prepared_faces(tmp_path, {"train": 6, "valid": 3}, LABELS)
    faces = read_split(tmp_path, "train")
    assert faces.labels == LABELS
    assert faces.edition == "labels of folder"
    assert faces.names[:2] == ("train/fear/0.png", "train/other/1.png")
    assert faces.images.shape == (6, 48, 48)
    for rule in (soft_targets, majority_targets):
        targets, keep = rule(faces.votes)
        assert keep.all()
        np.testing.assert_array_equal(targets, np.tile(np.eye(3), (2, 1)))


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    write_prepared_faces(tmp_path, {"train": 2}, EMOTIONS[:4], with_probabilities=True)
    targets, keep = soft_targets(read_split(tmp_path, "train").votes)
    assert keep.all()
    np.testing.assert_allclose(targets[0], [0.775, 0.075, 0.075, 0.075], atol=1e-6)


def test_a_data_set_has_the_splits_that_its_manifest_names(
    tmp_path: Path, ferplus_dir: Path
) -> None:
    write_prepared_faces(tmp_path, {"train": 2, "test": 2})
    assert {split: len(faces) for split, faces in read_data_set(tmp_path).splits.items()} == {
        "train": 2,
        "test": 2,
    }
    assert [has_split(tmp_path, split) for split in ("train", "valid")] == [True, False]
    assert list(read_data_set(ferplus_dir).splits) == ["train", "valid", "test"]
    assert has_split(ferplus_dir, "valid")
    with pytest.raises(DataError, match="no face is in the split 'valid'"):
        read_split(tmp_path, "valid")


@pytest.mark.parametrize(
    ("name", "goes_on"),
    [("begun.json", ", which goes on where it was interrupted"), ("manifest.csv", "")],
)
def test_an_unfinished_set_is_told_as_one(tmp_path: Path, name: str, goes_on: str) -> None:
    (tmp_path / name).write_text("")
    told = rf"no set\.json, so no finished set of faces; make it with 'mien prepare'{goes_on}$"
    for look in (read_data_set, inspect):
        with pytest.raises(DataError, match=told):
            look(tmp_path)


def test_ferplus_needs_no_test_split(tmp_path: Path, ferplus_dir: Path) -> None:
    for folder in ("FER2013Train", "FER2013Valid"):
        shutil.copytree(ferplus_dir / folder, tmp_path / folder)
    assert list(read_data_set(tmp_path).splits) == ["train", "valid"]
    (tmp_path / "FER2013Valid" / "label.csv").unlink()
    with pytest.raises(DataError, match=r"FER2013Valid: no label\.csv"):
        read_data_set(tmp_path)


def test_a_group_in_two_splits_is_refused_by_name(tmp_path: Path) -> None:
    write_prepared_faces(tmp_path, {"train": 1, "valid": 1})
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("valid 0", "train 0"))
    with pytest.raises(DataError, match="group 'train 0' stands in train and in valid"):
        read_data_set(tmp_path)


def test_an_unfinished_folder_and_a_missing_picture_are_refused(tmp_path: Path) -> None:
    write_prepared_faces(tmp_path, {"train": 2})
    (tmp_path / "train/happiness/1.png").unlink()
    with pytest.raises(DataError, match=r"train/happiness/1\.png: no such file"):
        read_data_set(tmp_path)
    (tmp_path / "set.json").unlink()
    with pytest.raises(DataError, match=r"no set\.json"):
        read_data_set(tmp_path)
