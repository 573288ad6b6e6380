"""`mien train`, `mien export` and `mien quantize`: making model files."""

import dataclasses
import inspect
import signal
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from mien.cli import console
from mien.errors import ConfigError
from mien.training.config import TrainingConfig

if TYPE_CHECKING:
    from mien.training.train import Training

DataDirs = Annotated[
    list[Path],
    typer.Option(
        "--data-dir", help="Folder that 'mien prepare' made; several times for several data sets."
    ),
]
KeptVariance = Annotated[
    float,
    typer.Option(
        help="Kernels become two smaller ones that keep so much of the variance of what they "
        "answer; 1: none does."
    ),
]
#: So many leaks are shown on the terminal.
SHOWN_LEAKS = 5


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for every setting of a training."""
    signature = inspect.signature(command)
    fixed = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    flags = [_flag(setting) for setting in dataclasses.fields(TrainingConfig)]
    command.__signature__ = signature.replace(parameters=fixed + flags)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in fixed + flags}
    return command


def _flag(setting: "dataclasses.Field[Any]") -> inspect.Parameter:
    default = setting.default
    kind: Any = type(default)
    shown = str(default)
    if isinstance(default, tuple):
        kind, shown = list[get_args(setting.type)[0]], " ".join(default)  # type: ignore[misc]
    option = typer.Option(
        "--" + setting.name.replace("_", "-"),
        help=setting.metadata["help"],
        show_default=shown,
        rich_help_panel="Settings",
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


@_with_settings
def train(
    data_dir: DataDirs,
    model_path: Annotated[Path, typer.Option(help="Model file to write, a name in .onnx.")],
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint beside the model file.")
    ] = False,
    **settings: Any,
) -> None:
    """Train a model on FER+ or other data sets, also on several at once.

    Settings come from their defaults, then the TOML file, then flags. Ctrl-C stops after the
    step under way: the model file is written, and --resume goes on as if nothing had been.
    """
    _require_torch()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from mien.interruption import stopping_on_signals

    with stopping_on_signals() as wish:  # packages that are half loaded fail in odd ways
        from mien.training.train import Training
    if wish.signal_number is not None:
        signal.raise_signal(wish.signal_number)
    flags = {name: value for name, value in settings.items() if value is not None}
    training = Training(data_dir, model_path, config, flags, resume)
    training.files.check_writable()
    _note_data(training)
    if training.run.not_given:
        weights = training.run.config.initial_weights
        console.note(f"{weights}: lacks {', '.join(training.run.not_given)}: at random")
    if training.asks_beforehand:
        with console.progress_bar("Asking the teachers") as bar:
            training.ask_teachers(bar.update)
    with stopping_on_signals() as wish:
        with console.progress_bar("Training") as bar:
            training.fit(_shown_on(bar), lambda: bool(wish))
        console.note("Writing the model file")
        training.finish()
    done = len(training.run.history)
    console.say(f"{model_path}: trained for {done} of {training.run.config.epochs} epochs")
    if wish.signal_number is not None and not training.run.is_finished:
        console.note("Stopped early; --resume goes on")
        raise typer.Exit(128 + wish.signal_number)


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a training, a name in .ckpt.")],
    data_dir: DataDirs,
    model_path: Annotated[Path, typer.Option(help="Model file to write, a name in .onnx.")],
    kept_variance: KeptVariance = 1.0,
) -> None:
    """Make a model file from a checkpoint, calibrated on the validation set."""
    _require_torch()
    from mien.training.train import export_checkpoint

    export_checkpoint(checkpoint, data_dir, model_path, kept_variance)
    console.say(f"{model_path}: written")


def quantize(
    model: Annotated[str, typer.Argument(help="Model file, or the name of a packaged one.")],
    data_dir: DataDirs,
    model_path: Annotated[Path, typer.Option(help="Model file to write, a name in .onnx.")],
    kept_variance: KeptVariance = 0.999,
) -> None:
    """Make a smaller model file that computes in eight bits, calibrated on the validation set."""
    _require_torch()
    from mien.training.quantize import quantize as write_quantized

    write_quantized(model, data_dir, model_path, kept_variance)
    console.say(f"{model_path}: {model_path.stat().st_size / 1e6:.1f} MB")


def _note_data(training: "Training") -> None:
    """What is learnt from each data set, and which faces stand on two sides."""
    faces, leaks = training.faces, training.faces.leaks
    for folder, given, share in zip(faces.folders, faces.train, training.data.shares, strict=True):
        console.note(
            f"{folder}: {share.faces:,} of {len(given):,} faces to learn from, "
            f"{share.faces_per_epoch:,} an epoch"
        )
    if leaks:
        left_out = len({leak.train for leak in leaks if leak.is_between_sets})
        console.note(
            f"{len({leak.train for leak in leaks}):,} training faces look like "
            f"{len({leak.held_out for leak in leaks}):,} validation or test faces "
            f"({training.files.leaks}); {left_out:,} that look like one of another set are left out"
        )
        for leak in leaks[:SHOWN_LEAKS]:
            console.note(f"  {leak.train.path} looks like {leak.held_out.path}")


def _shown_on(bar: console.Bar) -> Callable[[Any], None]:
    began: list[float] = []

    def show(progress: Any) -> None:
        began.append(time.monotonic())
        del began[:-50]
        span = began[-1] - began[0]
        speed = f", {progress.images * (len(began) - 1) / span:.0f} images/s" if span else ""
        detail = f"epoch {progress.epoch + 1}, loss {progress.loss:.3f}{speed}"
        bar.update(progress.step, progress.total_steps, detail)

    return show


def _require_torch() -> None:
    for package in ("torch", "onnx", "onnxscript"):
        if find_spec(package) is None:
            raise ConfigError(
                f"training needs {package}, which is not installed: pip install 'mien[train]'"
            )
