"""The commands of `mien`."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import mien
from mien.cli import card, console, data, image, prepare, train, validate, video, webcam
from mien.errors import MienError
from mien.files import ignore_oddities


class Commands(TyperGroup):
    """Errors of mien and of the file system, and a lack of memory, are one line and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        ignore_oddities()
        try:
            return super().invoke(ctx)
        except (MienError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            console.error(str(error))
            raise typer.Exit(1) from error
        except MemoryError as error:
            console.error(f"too little memory{': ' if str(error) else ''}{error}")
            raise typer.Exit(1) from error


app = typer.Typer(
    name="mien",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(image.demo)
app.command("image")(image.image)
app.command("video")(video.video)
app.command("webcam")(webcam.webcam)
app.add_typer(prepare.app, name="prepare")
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("validate")(validate.validate)
app.command("card")(card.card)
app.command("export")(train.export)
app.command("quantize")(train.quantize)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.say(f"mien {mien.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Facial emotion recognition, frame by frame."""
