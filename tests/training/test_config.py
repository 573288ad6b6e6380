import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mien import ConfigError
from mien.datasets.votes import RULES
from mien.training.config import CHOICES, TrainingConfig, read_settings


def test_every_setting_has_a_help_text_and_survives_a_round_trip() -> None:
    config = TrainingConfig(labels=("happiness", "anger"), epochs=3, erase=0.0)
    assert TrainingConfig.from_dict(config.to_dict()) == config
    assert all(setting.metadata["help"] for setting in dataclasses.fields(TrainingConfig))


def test_an_unknown_setting_names_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"'learning_rat'.*'learning_rate'"):
        TrainingConfig.from_dict({"learning_rat": 0.1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs is 0, expected from 1 to 1000000"),
        ({"epochs": 2.5}, r"epochs is 2.5, expected a whole number"),
        ({"epochs": True}, "epochs is True"),
        ({"dropout": 1.5}, "dropout is 1.5, expected from 0 to 0.95"),
        ({"dropout": "much"}, "dropout is 'much'"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"weight_decay": float("inf")}, "weight_decay is inf, expected a number"),
        ({"label_mode": "best"}, "label_mode is 'best', expected one of soft, majority"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"labels": ["anger", "anger"]}, "two different names"),
        ({"labels": ["anger", ""]}, "two different names"),
        ({"labels": ["anger"]}, "two different names"),
        ({"labels": []}, "two different names"),
        ({"teacher": [1]}, r"teacher is \(1,\), expected a list of names"),
        ({"batch_size": 1}, "batch_size is 1, expected from 2 to 1000000"),
        ({"threads": 100_000}, "threads is 100000, expected from 0 to 1024"),
        ({"label_mode": "multi_target", "label_smoothing": 0.1}, "it goes with no label_smoothing"),
        ({"label_mode": "multi_target", "mixing_share": 0.1}, "it goes with no label_smoothing"),
        ({"label_mode": "multi_target", "teacher": ["default"]}, "it goes with no label_smoothing"),
        ({"seed": 10**30}, "seed is 1000"),
        ({"labels": "anger"}, "labels is 'anger', expected a list of names"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingConfig.from_dict(settings)


def test_every_rule_for_votes_is_a_label_mode() -> None:
    assert CHOICES["label_mode"] == tuple(RULES)


def test_whole_numbers_do_for_fractions() -> None:
    assert TrainingConfig.from_dict({"dropout": 0}).dropout == 0


def test_a_settings_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('epochs = 7\nlabels = ["happiness", "anger"]\n')
    config = TrainingConfig.from_dict(read_settings(path) | {"epochs": 9})
    assert (config.epochs, config.labels) == (9, ("happiness", "anger"))


@pytest.mark.parametrize("content", [None, b"epochs = ", b"\xff\xfe", b"a = " + b"[" * 9999])
def test_an_unreadable_settings_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "settings.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"settings\.toml"):
        read_settings(path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a readable TOML file"):
        read_settings(Path("a\0"))
