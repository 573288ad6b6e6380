"""Training and validating on FER+ and prepared faces together."""

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mien import ConfigError, DataError, EmotionRecognition
from mien.cli.app import app
from mien.evaluation.validation import validate
from mien.labels import EMOTIONS
from mien.model_file import open_model
from mien.training.faces import TrainingFaces
from tests.made import distinct_face, write_prepared_faces

#: No contempt, and a class that the network does not learn.
LABELS = (*EMOTIONS[:7], "other")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, ferplus_dir: Path) -> Path:
    """Prepared faces; two of them, for training, stand in the validation split of FER+ too."""
    folder = tmp_path_factory.mktemp("second")
    write_prepared_faces(folder, {"train": 160, "valid": 64}, LABELS)
    for place in range(2):
        leaked = ferplus_dir / "FER2013Valid" / f"fer{place:07}.png"
        shutil.copy(leaked, folder / "train" / LABELS[place] / f"{place}.png")
    return folder


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def train(folder: Path, *more: str | Path) -> Result:
    settings = ("--network", "residual_xs", "--epochs", "1", "--threads", "1", "--device", "cpu")
    before = signal.getsignal(signal.SIGTERM)
    try:
        return invoke("train", "--model-path", folder / "model.onnx", *settings, *more)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def trained(
    ferplus_dir: Path, second: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("trained")
    weights = ("--data-weight", "1", "--data-weight", "0.5")
    done = train(folder, "--data-dir", ferplus_dir, "--data-dir", second, *weights)
    assert done.exit_code == 0, done.stderr
    return folder, done.stderr


def test_what_is_learnt_from_each_set_is_said(
    trained: tuple[Path, str], ferplus_dir: Path, second: Path
) -> None:
    folder, said = trained
    assert f"{ferplus_dir}: 320 of 320 faces to learn from, 320 an epoch" in said
    assert f"{second}: 138 of 158 faces to learn from, 69 an epoch" in said
    assert "2 that look like one of another set are left out" in said
    provenance = open_model(folder / "model.onnx").metadata.provenance
    assert provenance["settings"]["data_weight"] == [1, 0.5]
    assert provenance["data"]["train"]["faces"] == 320 + 158
    assert [one["faces"] for one in provenance["data"]["valid"]["sets"]] == [160, 64]


def test_the_list_of_leaks_stands_beside_the_model(trained: tuple[Path, str], second: Path) -> None:
    with (trained[0] / "model.leaks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    between = [
        row for row in rows if row["set"] != row["like_set"] and row["different_bits"] == "0"
    ]
    assert [(row["set"], row["name"], row["like_name"]) for row in between] == [
        (str(second), "train/neutral/0.png", "fer0000000.png"),
        (str(second), "train/happiness/1.png", "fer0000001.png"),
    ]
    assert {row["like_split"] for row in between} == {"valid"}


def test_a_training_goes_on_only_with_the_sets_and_weights_it_began_with(
    trained: tuple[Path, str], ferplus_dir: Path, second: Path
) -> None:
    folder, _ = trained
    both = ("--data-dir", ferplus_dir, "--data-dir", second)
    assert train(folder, "--resume", *both).exit_code == 0
    other = train(folder, "--resume", *both, "--data-weight", "1", "--data-weight", "1")
    assert "data_weight is [1.0, 1.0], but" in other.stderr
    turned = train(folder, "--resume", "--data-dir", second, "--data-dir", ferplus_dir)
    assert "began with other training data" in turned.stderr


def test_export_makes_the_same_calibration_again(
    trained: tuple[Path, str], ferplus_dir: Path, second: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onnx"
    both = ("--data-dir", ferplus_dir, "--data-dir", second)
    done = invoke("export", trained[0] / "model.ckpt", *both, "--model-path", again)
    assert done.exit_code == 0, done.stderr
    ours, theirs = (open_model(path).metadata for path in (trained[0] / "model.onnx", again))
    assert ours.calibration == theirs.calibration


def test_validation_scores_each_set_and_all_together(
    trained: tuple[Path, str], ferplus_dir: Path, second: Path, tmp_path: Path
) -> None:
    command = ("validate", "--model", trained[0] / "model.onnx", "--report", tmp_path / "report")
    both = ("--data-dir", ferplus_dir, "--data-dir", second)
    scores = json.loads(invoke(*command, *both, "--json").stdout)
    together, (one, other) = scores["together"], scores["sets"].values()
    assert list(scores["sets"]) == [str(ferplus_dir), str(second)]
    assert [one["accuracy"]["count"], other["accuracy"]["count"]] == [160, 56]
    assert together["accuracy"]["count"] == 216
    right = sum(one["accuracy"]["value"] * one["accuracy"]["count"] for one in (one, other))
    assert together["accuracy"]["value"] == pytest.approx(right / 216)
    assert other["votes"] == "labels of folder"
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        *("1", "2", "report.html", "scores.json", "logits.csv")
    }
    shown = invoke("validate", "--model", trained[0] / "model.onnx", *both).stdout
    assert "All faces together:" in shown


def test_classes_that_are_not_learnt_do_not_count_as_ambiguous(
    trained: tuple[Path, str], second: Path
) -> None:
    result = validate(open_model(trained[0] / "model.onnx"), second, "valid")
    assert result.left_out == 8
    assert result.majority.count("other") == 8
    assert None not in result.majority
    assert result.certainty.ambiguity_auroc is None


def test_classes_of_ones_own_are_learnt_beside_those_of_ferplus(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    write_prepared_faces(own, {"train": 96, "valid": 48}, ("boredom", "happiness", "pain"))
    labels = ("neutral", "happiness", "boredom", "pain")
    both = ("--data-dir", ferplus_dir, "--data-dir", own)
    done = train(tmp_path, *both, *(text for label in labels for text in ("--labels", label)))
    assert done.exit_code == 0, done.stderr
    assert f"{own}: 96 of 96 faces to learn from" in done.stderr
    model = tmp_path / "model.onnx"
    face = distinct_face(0, np.random.default_rng(0))
    assert tuple(EmotionRecognition(model=model).run_on_face(face)["emotions"]) == labels
    scores = json.loads(invoke("validate", "--model", model, *both, "--json").stdout)
    assert [one["accuracy"]["count"] for one in scores["sets"].values()] == [40, 48]
    assert scores["together"]["accuracy"]["count"] == 88
    assert scores["together"]["labels"] == list(labels)


def test_only_classes_of_ones_own_are_learnt(tmp_path: Path) -> None:
    own = tmp_path / "own"
    write_prepared_faces(own, {"train": 96, "valid": 64}, ("pain", "boredom"))
    refused = train(tmp_path, "--data-dir", own)
    assert "only pain, boredom; name the labels to learn (--labels)" in refused.stderr
    labels = ("--labels", "boredom", "--labels", "pain")
    done = train(tmp_path, "--data-dir", own, *labels, "--epochs", "8")
    assert done.exit_code == 0, done.stderr
    result = validate(open_model(tmp_path / "model.onnx"), own, "valid")
    assert result.labels == ("boredom", "pain")
    assert result.scores.accuracy.value == 1


def test_a_set_without_a_validation_split_does_not_calibrate(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    write_prepared_faces(tmp_path, {"train": 16})
    faces = TrainingFaces.read([ferplus_dir, tmp_path])
    assert (len(faces.train), len(faces.valid)) == (2, 1)
    with pytest.raises(DataError, match="no face is in the split 'valid'"):
        TrainingFaces.read([tmp_path])


def test_a_set_without_a_training_split_and_one_named_twice_are_refused(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    write_prepared_faces(tmp_path, {"valid": 16})
    with pytest.raises(DataError, match="no face is in the split 'train'"):
        TrainingFaces.read([ferplus_dir, tmp_path])
    with pytest.raises(ConfigError, match="is named twice"):
        TrainingFaces.read([tmp_path, tmp_path / "."])
    refused = invoke("validate", "--data-dir", tmp_path, "--data-dir", tmp_path / ".")
    assert refused.exit_code == 1
    assert refused.stderr == f"mien: the data set {tmp_path} is named twice\n"


@pytest.mark.skipif(os.name == "nt", reason="there are no such links")
def test_a_set_behind_a_link_that_leads_to_itself_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    refused = invoke("validate", "--data-dir", tmp_path / "loop")
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"mien: {tmp_path / 'loop'}: no such folder\n",
    )


def test_a_set_that_others_hold_out_as_a_whole_is_refused(tmp_path: Path) -> None:
    write_prepared_faces(tmp_path / "one", {"train": 16})
    write_prepared_faces(tmp_path / "other", {"valid": 16, "train": 16})
    with pytest.raises(DataError, match="one: every face to learn from looks like a held-out"):
        TrainingFaces.read([tmp_path / "one", tmp_path / "other"])


@pytest.mark.parametrize("weight", ["0", "-1", "nan"])
def test_a_weight_out_of_range_is_refused(ferplus_dir: Path, tmp_path: Path, weight: str) -> None:
    done = train(tmp_path, "--data-dir", ferplus_dir, "--data-weight", weight)
    assert done.exit_code == 1
    assert "expected from 0.001 to 1000" in done.stderr
