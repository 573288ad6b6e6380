"""`mien image` and `mien demo`: emotions on pictures."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli import console
from mien.cli.inputs import files_of
from mien.errors import ConfigError, ImageError, SourceError
from mien.files import PICTURE_SUFFIXES, check_not_read, place_of
from mien.results import confidence_text

if TYPE_CHECKING:
    from mien.recognition import EmotionRecognition
    from mien.results import FaceResult
    from mien.tables import Table


Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Model = Annotated[
    str,
    typer.Option(help="Model file, or a packaged one: default, default-int8, ferplus-alone."),
]
Detector = Annotated[str, typer.Option(help="What finds the faces: retinaface or mtcnn.")]
MinFaceSize = Annotated[
    float | None, typer.Option(help="The smallest face to find, in pixels of the picture.")
]
Threads = Annotated[
    int, typer.Option(min=0, help="Threads that a network may take; 0: one per core.")
]


def image(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Picture files, folders or globs.")
    ],
    out: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder for the annotated pictures (PNG).")
    ] = None,
    bars: Annotated[
        bool, typer.Option("--bars", help="Draw a bar for each emotion on the annotated pictures.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for every picture.")
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a row per face: .csv, .jsonl, .parquet."),
    ] = None,
    model: Model = "default",
    device: Device = "cpu",
    detector: Detector = "retinaface",
    min_face_size: MinFaceSize = None,
    threads: Threads = 0,
) -> None:
    """Recognise the emotions on pictures.

    A picture that can't be read, or written, is reported and left out; the exit code is 1 then.
    Ctrl-C stops after the picture under way: what was found until then is printed and written.
    """
    from mien.interruption import stopping_on_signals
    from mien.recognition import EmotionRecognition
    from mien.tables import check_table_path

    if table is not None:
        check_table_path(table)
    if bars and out is None:
        raise ConfigError("--bars is for annotated pictures; name a folder for them with --out")
    if out == "":
        raise ConfigError("an empty name came, expected a folder for the annotated pictures")
    folder = None if out is None else Path(out)
    found, problems = _find_pictures(paths)
    annotated = {} if folder is None else _output_paths(found, folder)
    check_not_read([*annotated.values(), *([] if table is None else [table])], found, "pictures")
    if folder is not None and not folder.is_dir():
        if folder.exists() or folder.suffix.lower() in PICTURE_SUFFIXES:
            raise ConfigError(f"--out is {out!r}, expected a folder")
        folder.mkdir(parents=True)
    recognition = EmotionRecognition(
        device, model=model, detector=detector, min_face_size=min_face_size, threads=threads
    )
    results = _Results(recognition.labels, table, as_json, problems)
    # A second signal breaks off, and still what was found is printed and written.
    with stopping_on_signals() as wish, closing(results), console.progress_bar("Pictures") as bar:
        for done, path in enumerate(found, start=1):
            try:
                faces = _recognise(recognition, path, annotated.get(path), bars)
            except (ImageError, OSError) as error:
                results.add_error(path, error)
            else:
                results.add(path, faces)
            bar.update(done, len(found))
            if wish:
                console.note(f"Stopped; pictures not begun: {len(found) - done:,}")
                break
    for output in (folder, results.table):
        if output is not None and results.is_any_done:
            console.note(f"{output}: written")
    for problem in problems:
        console.error(problem)
    if wish.signal_number is not None:
        raise typer.Exit(128 + wish.signal_number)
    if problems:
        raise typer.Exit(1)


def demo(
    out: Annotated[Path, typer.Option(help="Where the annotated picture goes.")] = Path(
        "mien-demo.png"
    ),
) -> None:
    """Recognise the emotion on the picture that comes with mien."""
    from mien.drawing import draw_faces
    from mien.images import read_image, write_image
    from mien.recognition import EmotionRecognition

    with as_file(files("mien") / "assets" / "astronaut.jpg") as path:
        picture = read_image(path)
    faces = EmotionRecognition().run(picture, color="RGB")
    console.table(_TABLE_HEAD, _table_rows([(Path("astronaut.jpg"), faces)]))
    write_image(out, draw_faces(picture, faces))
    console.say(f"Annotated picture: {out}")
    console.say("Picture: Eileen Collins, NASA, public domain")


def _recognise(
    recognition: "EmotionRecognition", path: Path, annotated: Path | None, bars: bool
) -> "list[FaceResult]":
    from mien.drawing import draw_faces
    from mien.images import read_image, write_image

    picture = read_image(path)
    faces = recognition.run(picture, color="RGB")
    if annotated is not None:
        write_image(annotated, draw_faces(picture, faces, bars))
    return faces


class _Results:
    """What is found: printed, as JSON at once, else at the end, and written into a table.

    Attributes:
        table: the table; None if none is wanted, or from where on it can't be written.
        is_any_done: whether anything was found out of a picture.
    """

    def __init__(
        self, labels: Sequence[str], table: Path | None, as_json: bool, problems: list[str]
    ) -> None:
        self.table, self.is_any_done = table, False
        self._labels, self._as_json, self._problems = labels, as_json, problems
        self._rows: list[tuple[Path, Sequence[FaceResult]]] = []
        self._written: Table | None = None

    def add(self, picture: Path, faces: "Sequence[FaceResult]") -> None:
        """Take the faces of a picture."""
        self.is_any_done = True
        if self._as_json:
            console.say(json.dumps({"image": str(picture), "faces": faces}))
        else:
            self._rows.append((picture, faces))
        if self.table is not None:
            self._write(self.table, picture, faces)

    def add_error(self, picture: Path, error: Exception) -> None:
        """Take what is wrong with a picture."""
        self._problems.append(str(error))
        if self._as_json:
            console.say(json.dumps({"image": str(picture), "error": str(error)}))

    def close(self) -> None:
        """Finish the table, and print what is not printed yet."""
        try:
            if self._written is not None:
                self._written.close()
        except OSError as error:
            self._give_up_table(str(error))
        if self._rows:
            console.table(_TABLE_HEAD, _table_rows(self._rows))

    def _write(self, table: Path, picture: Path, faces: "Sequence[FaceResult]") -> None:
        from mien.tables import open_picture_table

        try:
            if self._written is None:  # no picture that is done leaves an earlier table
                self._written = open_picture_table(table, self._labels)
            self._written.write_picture(str(picture), faces)
        except OSError as error:
            self._give_up_table(f"{error}; it holds nothing from {picture} on")

    def _give_up_table(self, problem: str) -> None:
        self.table = None
        self._problems.append(problem)


def _find_pictures(paths: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The pictures that paths, folders and globs stand for, and what was wrong with the rest."""
    found: dict[Path, None] = {}
    problems = []
    for text in paths:
        try:
            found.update(dict.fromkeys(files_of(text, PICTURE_SUFFIXES, "pictures")))
        except SourceError as error:
            problems.append(str(error))
    return list(found), problems


def _output_paths(pictures: Sequence[Path], out: Path) -> dict[Path, Path]:
    """A file for every annotated picture: no two are the same, and none is a picture's own."""
    paths: dict[Path, Path] = {}
    own = {place_of(path) for path in pictures}
    taken: set[str] = set()
    for path in pictures:
        name, number = f"{path.stem}-emotions.png", 1
        while name.casefold() in taken or place_of(out / name) in own:
            number += 1
            name = f"{path.stem}-{number}-emotions.png"
        taken.add(name.casefold())  # capitals don't count everywhere
        paths[path] = out / name
    return paths


_TABLE_HEAD = ("picture", "face", "emotion", "confidence", "may also be", "")


def _table_rows(
    results: Sequence[tuple[Path, Sequence["FaceResult"]]],
) -> Iterator[tuple[str, ...]]:
    counts = Counter(path.name for path, _ in results)
    for path, faces in results:
        name = path.name if counts[path.name] == 1 else str(path)
        if not faces:
            yield (name, "", "no face", "", "", "")
        for number, face in enumerate(faces, start=1):
            yield (
                name,
                str(number),
                face["emotion"],
                confidence_text(face["confidence"]),
                ", ".join(face["candidates"][1:]),
                "uncertain" if face["uncertain"] else "",
            )
