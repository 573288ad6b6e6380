"""Training in real processes: finished, interrupted, killed, and continued."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien import EmotionRecognition
from mien.datasets.ferplus import read_split
from mien.errors import ConfigError, DataError, MienError, ModelError
from mien.evaluation.fitting import calibration_half
from mien.evaluation.scoring import classify_faces
from mien.labels import EMOTIONS
from mien.model_file import open_model
from mien.training.config import TrainingConfig
from mien.training.export import export
from mien.training.faces import TrainingFaces
from mien.training.run import TrainingRun
from mien.training.train import Training, export_checkpoint
from tests.made import made_face, write_ferplus, write_prepared_faces

SETTINGS = """
network = "residual_xs"
epochs = 6
batch_size = 32
learning_rate = 0.05
precision = "float32"
device = "cpu"
threads = 1
"""
STEPS = 60

# Saves the checkpoint as ever, until the second one: that is half written when the process dies.
DIES_WHILE_SAVING = """
import os, signal
from pathlib import Path
from mien.__main__ import main

write, written = Path.write_bytes, []

def write_or_die(path, content):
    written.append(path)
    if len(written) == 2:
        write(path, bytes(content)[:5000])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, content)

Path.write_bytes = write_or_die
main()
"""


# Sends a signal while NumPy is half loaded.
INTERRUPTED_WHILE_LOADING = """
import signal, sys

number = int(sys.argv.pop())

class Finder:
    def find_spec(name, path=None, target=None):
        if name == "numpy.linalg":
            signal.raise_signal(number)

sys.meta_path.insert(0, Finder)
from mien.__main__ import main
main()
"""


def command(data: Path, folder: Path, *more: str) -> list[str]:
    (folder / "settings.toml").write_text(SETTINGS)
    return [
        *("train", "--data-dir", str(data), "--model-path", str(folder / "model.onnx")),
        *("--config", str(folder / "settings.toml"), *more),
    ]


def mien(*arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "mien", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mien", *arguments], stderr=subprocess.PIPE, text=True
    )


def interrupt_training(arguments: list[str], number: int) -> tuple[int, str]:
    """Send a signal at the first line of progress; returns the exit code and what was said."""
    with start(*arguments) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        while line and not line.startswith("Training: "):
            line = process.stderr.readline()  # on faces that look the same
        assert line.startswith("Training: 1 of 60")
        process.send_signal(number)
        rest = process.stderr.read()
    return process.returncode, rest


def checkpoint(folder: Path) -> dict[str, Any]:
    state = torch.load(folder / "model.ckpt", weights_only=True)
    assert isinstance(state, dict)
    return state


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        torch.equal(one[part][name], other[part][name])
        for part in ("network", "average")
        for name in one[part]
    )


@pytest.fixture(scope="module")
def uninterrupted(ferplus_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = mien(*command(ferplus_dir, folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_loss_falls_and_every_epoch_stands_in_the_table(uninterrupted: Path) -> None:
    with (uninterrupted / "model.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[-1]["train_loss"]) < 0.8 * float(rows[0]["train_loss"])
    assert float(rows[-1]["valid_accuracy"]) > float(rows[0]["valid_accuracy"])
    assert (uninterrupted / "model.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_file_says_where_it_comes_from(uninterrupted: Path) -> None:
    provenance = open_model(uninterrupted / "model.onnx").metadata.provenance
    assert provenance["steps"] == STEPS
    assert provenance["settings"]["network"] == "residual_xs"
    assert provenance["data"]["train"]["faces"] == 320
    assert provenance["data"]["train"]["votes"] == "votes of no published edition"
    assert 0 <= provenance["scores"]["valid_accuracy"] <= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_goes_on_bit_for_bit(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = command(ferplus_dir, tmp_path)
    code, said = interrupt_training(arguments, number)
    assert code == 128 + number
    assert "--resume goes on" in said
    assert 1 <= checkpoint(tmp_path)["step"] < STEPS
    assert open_model(tmp_path / "model.onnx").metadata.provenance["steps"] < STEPS

    done = mien(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    ours, theirs = checkpoint(tmp_path), checkpoint(uninterrupted)
    assert ours["step"] == theirs["step"] == STEPS
    assert same_weights(ours, theirs)
    losses = [[row["train_loss"] for row in state["history"]] for state in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)


def test_a_kill_while_saving_leaves_the_checkpoint_before(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    arguments = command(ferplus_dir, tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_SAVING, *arguments], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint(tmp_path)["step"] == 10
    assert not (tmp_path / "model.onnx").exists()

    assert mien(*arguments, "--resume").returncode == 0
    assert same_weights(checkpoint(tmp_path), checkpoint(uninterrupted))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_first_step_nothing_is_written(tmp_path: Path, number: signal.Signals) -> None:
    data, out = tmp_path / "data" / "FER2013Train", tmp_path / "out"
    data.mkdir(parents=True)
    out.mkdir()
    (data / "label.csv").write_text('fer0.png,"(0, 0, 48, 48)",9,0,0,0,0,0,0,0,0,0\n')
    os.mkfifo(data / "fer0.png")  # opening it to write waits until the training reads it
    with start(*command(data.parent, out)) as process, (data / "fer0.png").open("wb"):
        process.send_signal(number)
        process.wait()
    assert process.returncode == 130
    assert [path.name for path in out.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_packages_are_loaded_ends_quietly(
    tmp_path: Path, number: signal.Signals
) -> None:
    line = [sys.executable, "-c", INTERRUPTED_WHILE_LOADING, *command(tmp_path, tmp_path)]
    done = subprocess.run([*line, str(int(number))], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


def test_seven_classes_make_a_model_that_deploys(ferplus_dir: Path, tmp_path: Path) -> None:
    labels = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]
    more = [text for label in labels for text in ("--labels", label)]
    done = mien(*command(ferplus_dir, tmp_path, *more, "--epochs", "2"))
    assert done.returncode == 0, done.stderr
    model = str(tmp_path / "model.onnx")
    face = made_face(1, np.random.default_rng(0))
    assert list(EmotionRecognition(model=model).run_on_face(face)["emotions"]) == labels
    validated = mien("validate", "--data-dir", str(ferplus_dir), "--model", model)
    assert validated.returncode == 0, validated.stderr
    assert "Left out" in validated.stdout


def test_an_earlier_training_is_not_overwritten(ferplus_dir: Path, uninterrupted: Path) -> None:
    done = mien(*command(ferplus_dir, uninterrupted))
    assert done.returncode == 1
    assert "is there already" in done.stderr


@pytest.mark.parametrize("name", ["model.csv", "model.png", "model.leaks.csv"])
def test_other_files_of_that_name_are_not_overwritten(
    ferplus_dir: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    done = mien(*command(ferplus_dir, tmp_path))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert (tmp_path / name).read_text() == "mine"


def test_too_few_faces_to_calibrate_on_are_noticed_before_training(tmp_path: Path) -> None:
    write_ferplus(tmp_path / "data", {"FER2013Train": 64, "FER2013Valid": 24})
    done = mien(*command(tmp_path / "data", tmp_path))
    assert done.returncode == 1
    assert "expected at least 20" in done.stderr
    assert "Training" not in done.stderr


def test_a_folder_that_takes_no_files_is_noticed_before_training(ferplus_dir: Path) -> None:
    done = mien("train", "--data-dir", str(ferplus_dir), "--model-path", "/proc/model.onnx")
    assert done.returncode == 1
    assert "Training" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_full_disk_is_one_line(ferplus_dir: Path, tmp_path: Path) -> None:
    arguments = " ".join(shlex.quote(a) for a in command(ferplus_dir, tmp_path))
    limited = f"ulimit -f 1024; exec {shlex.quote(sys.executable)} -m mien {arguments}"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "File too large" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--epochs", "9"], "epochs is 9, but"),
        (["--data-dir", "nowhere"], "nowhere"),
    ],
)
def test_resuming_keeps_settings_and_data(
    ferplus_dir: Path, uninterrupted: Path, more: list[str], message: str
) -> None:
    done = mien(*command(ferplus_dir, uninterrupted, "--resume", *more))
    assert done.returncode == 1
    assert message in done.stderr


def test_resuming_with_other_data_is_refused(
    uninterrupted: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    write_ferplus(other, {"FER2013Train": 64, "FER2013Valid": 64}, seed=5)
    done = mien(*command(other, uninterrupted, "--resume"))
    assert done.returncode == 1
    assert "began with other training data" in done.stderr
    again = ["export", str(uninterrupted / "model.ckpt"), "--model-path", str(other / "a.onnx")]
    done = mien(*again, "--data-dir", str(other))
    assert done.returncode == 1
    assert "began with other training data" in done.stderr


def test_the_settings_on_a_card_can_be_trained_with(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    model, report, card = uninterrupted / "model.onnx", tmp_path / "report", tmp_path / "card.md"
    for arguments in (
        ("validate", "--data-dir", ferplus_dir, "--model", model, "--report", report),
        ("card", report, "--out", card),
    ):
        assert mien(*map(str, arguments)).returncode == 0
    settings = re.findall(r"^```toml\n(.*?)^```", card.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "card.toml").write_text(*settings)
    done = mien(
        *("train", "--data-dir", str(ferplus_dir), "--model-path", str(tmp_path / "again.onnx")),
        *("--config", str(tmp_path / "card.toml"), "--epochs", "1"),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("batch_size", "step"), [(32, 2), (320, 1)])
def test_a_training_that_diverges_leaves_no_model(
    ferplus_dir: Path, tmp_path: Path, batch_size: int, step: int
) -> None:
    # Of the larger batches there is one: only what comes of its step tells.
    settings = ("--batch-size", str(batch_size), "--epochs", "1", "--warmup", "0")
    done = mien(*command(ferplus_dir, tmp_path, *settings, "--learning-rate", "1e30"))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(rf"mien: the loss is (nan|inf) at step {step}: begin anew with a .*", last)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_a_network_that_answers_no_numbers_is_not_exported(
    ferplus_dir: Path, tmp_path: Path
) -> None:
    run = TrainingRun.begin(TrainingConfig(network="residual_xs", device="cpu"))
    for weight in run.average.parameters():
        weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="no finite numbers; its training may have diverged"):
        export(run, TrainingFaces.read([ferplus_dir]), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_without_faces_to_score_by_nothing_is_exported(ferplus_dir: Path, tmp_path: Path) -> None:
    faces = TrainingFaces.read([ferplus_dir])
    alone = tuple(one.select(calibration_half(one)) for one in faces.valid)
    run = TrainingRun.begin(TrainingConfig(network="residual_xs", device="cpu"))
    with pytest.raises(DataError, match="no validation face of the half that models are scored by"):
        export(run, replace(faces, valid=alone), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_label_that_no_face_shows_takes_a_teacher(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_prepared_faces(data, {"train": 14, "valid": 140}, EMOTIONS[:-1])
    content = json.loads((data / "set.json").read_text())
    content["labels"].append(EMOTIONS[-1])
    (data / "set.json").write_text(json.dumps(content))
    settings = {"network": "residual_xs"}
    with pytest.raises(ConfigError, match="no face to learn from shows contempt; name the labels"):
        Training([data], tmp_path / "model.onnx", None, settings)
    taught = Training([data], tmp_path / "model.onnx", None, settings | {"teacher": ["default"]})
    assert taught.run.config.labels == EMOTIONS


def test_a_checkpoint_with_a_changed_bit_is_refused(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    content = bytearray((uninterrupted / "model.ckpt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.ckpt").write_bytes(content)
    done = mien(*command(ferplus_dir, tmp_path, "--resume"))
    assert done.returncode == 1
    assert re.search(r"model\.ckpt: not a readable checkpoint \(.* is damaged\)", done.stderr)


def test_resuming_without_a_whole_checkpoint_is_refused(ferplus_dir: Path, tmp_path: Path) -> None:
    done = mien(*command(ferplus_dir, tmp_path, "--resume"))
    assert done.returncode == 1
    assert "no such checkpoint" in done.stderr
    for content in (b"PK\x03\x04 no more", b""):
        (tmp_path / "model.ckpt").write_bytes(content)
        done = mien(*command(ferplus_dir, tmp_path, "--resume"))
        assert done.returncode == 1
        assert "not a readable checkpoint" in done.stderr


def test_a_checkpoint_of_another_version_is_refused(ferplus_dir: Path, tmp_path: Path) -> None:
    arguments = command(ferplus_dir, tmp_path, "--resume")
    states: list[Any] = [{"format": 1}, {"format": 0}, [], {"format": 1, "config": {"speed": 3}}]
    for state in states:
        torch.save(state, tmp_path / "model.ckpt")
        done = mien(*arguments)
        assert done.returncode == 1
        assert "model.ckpt" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_model_file_is_made_again_from_the_checkpoint(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onnx"
    done = mien(
        *("export", str(uninterrupted / "model.ckpt"), "--data-dir", str(ferplus_dir)),
        *("--model-path", str(again)),
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "other.ckpt").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"other\.onnx: would stand beside other\.ckpt"):
        export_checkpoint(uninterrupted / "model.ckpt", [ferplus_dir], tmp_path / "other.onnx")
    ours, theirs = open_model(again).metadata, open_model(uninterrupted / "model.onnx").metadata
    assert ours.calibration == theirs.calibration
    assert ours.provenance["scores"] == theirs.provenance["scores"]


def test_a_model_file_with_smaller_kernels_answers_nearly_the_same(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    whole, small = uninterrupted / "model.onnx", tmp_path / "small.onnx"
    export = [
        *("export", str(uninterrupted / "model.ckpt"), "--data-dir", str(ferplus_dir)),
        *("--model-path", str(small), "--kept-variance"),
    ]
    done = mien(*export, "0.99")
    assert done.returncode == 0, done.stderr
    assert small.stat().st_size < 0.9 * whole.stat().st_size
    assert open_model(small).metadata.provenance["kept_variance"] == 0.99
    faces = read_split(ferplus_dir, "valid")
    exact, close = (classify_faces(open_model(one), faces).logits for one in (whole, small))
    assert np.abs(exact - close).mean() < 0.1 * exact.std()
    done = mien(*export, "1.5")
    assert done.returncode == 1
    assert "kept_variance is 1.5, expected a share above 0, up to 1" in done.stderr


def test_a_loss_that_runs_away_is_an_error(ferplus_dir: Path, tmp_path: Path) -> None:
    done = mien(*command(ferplus_dir, tmp_path, "--network", "vgg13", "--learning-rate", "1e9"))
    assert done.returncode == 1
    assert "begin anew with a lower learning_rate than 1000000000.0" in done.stderr
    assert not (tmp_path / "model.onnx").exists()
    again = mien(*command(ferplus_dir, tmp_path, "--epochs", "1"))
    assert again.returncode == 0, again.stderr


def test_a_student_learns_from_a_teacher(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    teacher = str(uninterrupted / "model.ckpt")
    done = mien(*command(ferplus_dir, tmp_path, "--teacher", teacher, "--epochs", "2"))
    assert done.returncode == 0, done.stderr
    settings = open_model(tmp_path / "model.onnx").metadata.provenance["settings"]
    assert settings["teacher"] == ["model.ckpt"]
    (digest,) = open_model(tmp_path / "model.onnx").metadata.provenance["teacher_digests"]
    assert len(digest) == 64
    assert not same_weights(checkpoint(tmp_path), checkpoint(uninterrupted))


def test_a_model_file_teaches_once_before_the_first_step(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    teacher = str(uninterrupted / "model.onnx")
    more = ["--teacher", teacher, "--teacher-view", "clean", "--epochs", "1"]
    done = mien(*command(ferplus_dir, tmp_path, *more))
    assert done.returncode == 0, done.stderr
    faces = len(read_split(ferplus_dir, "train"))
    assert f"Asking the teachers: {faces} of {faces}" in done.stderr
    assert not same_weights(checkpoint(tmp_path), checkpoint(uninterrupted))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--teacher-share", "0.7"), "teacher_share is 0.7"),
        (("--teacher-view", "whole"), "teacher_view is 'whole'"),
        (("--teacher-whole-share", "0.5"), "teacher_whole_share is 0.5"),
    ],
)
def test_what_is_said_of_a_teacher_that_is_not_there_is_refused(
    flags: tuple[str, str], told: str, ferplus_dir: Path, tmp_path: Path
) -> None:
    done = mien(*command(ferplus_dir, tmp_path, *flags))
    assert done.returncode == 1
    assert f"mien: {told}, but there is no teacher (--teacher)" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError(), MemoryError(), RuntimeError("x: can't allocate memory: y")]
)
def test_too_little_memory_is_an_error_of_mien(
    error: Exception, ferplus_dir: Path, tmp_path: Path
) -> None:
    training = Training([ferplus_dir], tmp_path / "model.onnx", None, {"network": "residual_xs"})

    def fail(_progress: object) -> None:
        raise error

    with pytest.raises(MienError, match="batch_size is 128: the memory is too small"):
        training.fit(fail, lambda: False)


def test_resuming_with_another_teacher_is_refused(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher.ckpt"
    shutil.copy(uninterrupted / "model.ckpt", teacher)
    arguments = command(ferplus_dir, tmp_path, "--teacher", str(teacher), "--epochs", "1")
    assert mien(*arguments).returncode == 0
    state = checkpoint(uninterrupted)
    state["average"]["head.bias"] += 1
    torch.save(state, teacher)
    done = mien(*arguments, "--resume")
    assert done.returncode == 1
    assert "other training data or teachers" in done.stderr


def test_a_teacher_of_other_labels_is_refused(
    ferplus_dir: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    more = ["--teacher", str(uninterrupted / "model.ckpt"), "--input-size", "64"]
    done = mien(*command(ferplus_dir, tmp_path, *more))
    assert done.returncode == 1
    assert "the teacher knows neutral" in done.stderr


def test_a_model_path_with_another_ending_is_refused(ferplus_dir: Path, tmp_path: Path) -> None:
    done = mien("train", "--data-dir", str(ferplus_dir), "--model-path", str(tmp_path / "model"))
    assert done.returncode == 1
    assert "expected a name in .onnx" in done.stderr
