"""All settings of a training run: their defaults, a TOML file, and flags, in that order."""

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from mien.errors import ConfigError
from mien.labels import EMOTIONS


def _setting(
    default: Any, help_text: str, low: float | None = None, high: float | None = None
) -> Any:
    return field(default=default, metadata={"help": help_text, "low": low, "high": high})


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of one training run.

    Probabilities are shares of the images of a batch; ranges of the augmentation are the largest
    change to either side, drawn evenly for each image, but a lower resolution for each batch.

    Raises:
        ConfigError: a value is of the wrong kind or out of its range.
    """

    # fmt: off
    labels: tuple[str, ...] = _setting(EMOTIONS, "Classes to learn, of FER+ or your own; faces whose leading class is another one are left out.")
    data_weight: tuple[float, ...] = _setting((), "How often an epoch takes each face, one number per data set; by default once.", 0.001, 1000)
    label_mode: str = _setting("soft", "Targets: soft, majority, probability, crossentropy or multi_target.")
    network: str = _setting("residual_m", "Name of the network: residual_xs, residual_s, residual_n, residual_m, residual_l, vgg13, mobilefacenet, mobilenet or face_resnet.")
    input_size: int = _setting(48, "Side of the network's input, in pixels.", 32, 224)
    dropout: float = _setting(0.4, "Dropout before the last layer.", 0, 0.95)
    initial_weights: str = _setting("", "What to begin with: a model file, a packaged model, a checkpoint or a file of weights. Up to half may be missing; that begins at random.")
    fixed: tuple[str, ...] = _setting((), "Parts of the network that are not trained, by their names in PyTorch.")
    stochastic_depth: float = _setting(0.1, "Probability that the deepest block of residual_... is skipped; less for earlier ones.", 0, 0.95)

    epochs: int = _setting(40, "Epochs, over which the learning rate runs through its schedule.", 1, 1_000_000)
    batch_size: int = _setting(128, "Images per step.", 2, 1_000_000)
    learning_rate: float = _setting(0.12, "Highest learning rate.", 0)
    warmup: float = _setting(0.08, "Share of the schedule with linear warm-up, before the cosine decay.", 0, 1)
    momentum: float = _setting(0.9, "Nesterov momentum of the gradient descent.", 0, 1)
    sharpness_radius: float = _setting(0.0, "Radius of sharpness-aware minimisation (SAM), which takes the gradient where the loss is worst within it; 0: off.", 0, 10)
    weight_decay: float = _setting(5e-4, "Weight decay of matrices and kernels.", 0)
    balance: float = _setting(0.0, "Power of the class frequencies that answers are divided by, in favour of rare classes.", 0, 1)
    label_smoothing: float = _setting(0.0, "Share of the target spread over all classes.", 0, 1)
    average_decay: float = _setting(0.998, "Decay per step of the averaged weights (EMA).", 0, 1)

    teacher: tuple[str, ...] = _setting((), "Checkpoints or model files whose mean answer is learnt together with the votes.")
    teacher_share: float = _setting(0.5, "Share of the teachers' answer in the targets.", 0, 1)
    teacher_embedding: float = _setting(0.0, "Weight of the distance to the teachers' embeddings, along their main axes.", 0, 100)
    teacher_view: str = _setting("same", "What teachers see: same, the changed face that the student sees; whole, that without noise, compression and patches; clean, the face unchanged.")
    teacher_whole_share: float = _setting(1.0, "With teacher_view whole, the share of faces for which it applies; for the others, same does.", 0, 1)

    flip: float = _setting(0.5, "Share of images mirrored.", 0, 1)
    rotation_degrees: float = _setting(18.0, "Range of rotation, in degrees.", 0, 180)
    scale: float = _setting(0.18, "Range of scaling, as a share.", 0, 0.9)
    shift: float = _setting(0.08, "Range of shift, as a share of the side.", 0, 1)
    background_share: float = _setting(0.3, "Share of images with another picture around them, where they are moved.", 0, 1)
    brightness: float = _setting(0.2, "Range of brightness, as a share of white.", 0, 1)
    contrast: float = _setting(0.3, "Range of contrast, as a share.", 0, 1)
    color: float = _setting(0.3, "Range of each colour channel's gain, before the grey conversion.", 0, 1)
    noise: float = _setting(0.04, "Largest standard deviation of noise, as a share of white.", 0, 1)
    noise_share: float = _setting(0.2, "Share of images with noise.", 0, 1)
    blur: float = _setting(1.2, "Largest standard deviation of the blur, in pixels.", 0, 10)
    blur_share: float = _setting(0.15, "Share of images blurred.", 0, 1)
    low_resolution: float = _setting(0.5, "Lowest resolution, as a share of the input's.", 0.05, 1)
    low_resolution_share: float = _setting(0.15, "Share of images at a lower resolution.", 0, 1)
    jpeg_quality: float = _setting(15.0, "Lowest quality of JPEG compression.", 1, 100)
    jpeg_share: float = _setting(0.15, "Share of images compressed.", 0, 1)
    erase: float = _setting(0.3, "Largest side of the erased patch, as a share of the image's.", 0, 1)
    erase_share: float = _setting(0.4, "Share of images with an erased patch.", 0, 1)
    mixing_share: float = _setting(0.0, "Share of images with a patch of another one, whose target then counts too (CutMix).", 0, 1)

    seed: int = _setting(0, "Seed of all random draws.", 0, 2**63 - 1)
    precision: str = _setting("auto", "auto, float32 or bfloat16 (mixed).")
    device: str = _setting("auto", "auto, cpu or cuda.")
    threads: int = _setting(0, "Threads on the CPU; 0: as many as there are cores.", 0, 1024)
    # fmt: on

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            _check_value(setting, getattr(self, setting.name))
        if self.label_mode == "multi_target" and (
            self.label_smoothing or self.mixing_share or self.teacher
        ):
            raise ConfigError(
                "label_mode 'multi_target' takes the best of the classes with votes: it goes with "
                "no label_smoothing, mixing_share or teacher, which add others"
            )
        labels = self.labels
        if len(set(labels)) != len(labels) or len(labels) < 2 or "" in labels:
            raise ConfigError(f"labels must be at least two different names, got {list(labels)}")

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "TrainingConfig":
        """A configuration from plain values, as TOML and checkpoints hold them.

        Raises:
            ConfigError: a setting is unknown or out of range.
        """
        known = [setting.name for setting in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0)
                raise ConfigError(f"unknown setting {name!r}; the nearest known one is {near[0]!r}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in settings.items()
        }
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` takes them."""
        values = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


#: Settings that change how a run is carried out, but not what it computes on one kind of device.
RUNNING = ("device", "threads")

KINDS = {str: "a name", int: "a whole number", float: "a number"}
LIST_KINDS = {str: "a list of names", float: "a list of numbers"}
CHOICES = {
    "label_mode": ("soft", "majority", "probability", "crossentropy", "multi_target"),
    "teacher_view": ("same", "whole", "clean"),
    "precision": ("auto", "float32", "bfloat16"),
    "device": ("auto", "cpu", "cuda"),
}


def _check_value(setting: "dataclasses.Field[Any]", value: Any) -> None:
    name, default = setting.name, setting.default
    if isinstance(default, tuple):
        kind, *_ = get_args(setting.type)
        expected, fits = LIST_KINDS[kind], isinstance(value, tuple)
        parts = value if fits else ()
    else:
        kind, expected, fits, parts = type(default), KINDS[type(default)], True, (value,)
    if not fits or not all(_is_of_kind(part, kind) for part in parts):
        raise ConfigError(f"{name} is {value!r}, expected {expected}")
    low, high = setting.metadata["low"], setting.metadata["high"]
    for part in parts:
        if (low is not None and not part >= low) or (high is not None and not part <= high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ConfigError(f"{name} is {part!r}, expected {limits}")
    if name in CHOICES and value not in CHOICES[name]:
        raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(CHOICES[name])}")


def _is_of_kind(value: Any, kind: type) -> bool:
    if kind is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value) != math.inf
    return type(value) is kind


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a TOML file, unchecked: `TrainingConfig.from_dict` checks them.

    Raises:
        ConfigError: the file can't be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a readable TOML file ({error})") from error
