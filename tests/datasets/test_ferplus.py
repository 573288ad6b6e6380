import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.datasets.faces import FaceSet
from mien.datasets.ferplus import SPLITS, prepare, read_split
from mien.datasets.leaks import find_leaks
from mien.datasets.sets import read_data_set
from mien.datasets.vote_table import TABLE_EDITION, edition, read_label_file, votes_array
from mien.datasets.votes import strict_majority
from mien.errors import DataError
from tests.made import write_tables

ROWS = 60
BOX = "(0, 0, 48, 48)"


class Row(NamedTuple):
    folder: str
    name: str
    pixels: NDArray[np.uint8]
    votes: list[str]


class Tables(NamedTuple):
    fer2013: Path
    ferplus: Path

    def named_rows(self) -> list[Row]:
        folders = {split.usage: split.folder for split in SPLITS.values()}
        with self.fer2013.open() as pixels, self.ferplus.open() as votes:
            pairs = list(zip(csv.DictReader(pixels), csv.reader(list(votes)[1:]), strict=True))
        return [
            Row(
                folders[usage],
                name,
                np.array(face["pixels"].split(), dtype=np.uint8).reshape(48, 48),
                votes,
            )
            for face, (usage, name, *votes) in pairs
            if name
        ]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(*write_tables(tmp_path, ROWS))


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def labels_of(rows: list[Row], folder: str) -> list[list[str]]:
    return [[row.name, BOX, *row.votes] for row in rows if row.folder == folder]


def rows_of_csv(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def test_folders_hold_the_named_images_and_their_votes(tables: Tables, tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = prepare(*tables, out)
    rows = tables.named_rows()
    folders = [split.folder for split in SPLITS.values()]
    assert set(content_of(out)) == {
        *(f"{row.folder}/{row.name}" for row in rows),
        *(f"{folder}/label.csv" for folder in folders),
    }
    for row in rows:
        with Image.open(out / row.folder / row.name) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(image, row.pixels)
    for split, folder in zip(SPLITS, folders, strict=True):
        labels = labels_of(rows, folder)
        assert rows_of_csv(out / folder / "label.csv") == labels
        assert counts[split] == len(labels)


def test_what_was_prepared_is_read_again(tables: Tables, tmp_path: Path) -> None:
    prepare(*tables, tmp_path)
    rows = [row for row in tables.named_rows() if row.folder == "FER2013Train"]
    faces = read_split(tmp_path, "train")
    assert len(faces) == len(rows)
    assert faces.names == tuple(row.name for row in rows)
    assert faces.votes.tolist() == [list(map(int, row.votes)) for row in rows]
    assert faces.edition == "votes of no published edition"
    np.testing.assert_array_equal(faces.images, [row.pixels for row in rows])


def test_progress_is_told_row_by_row(tables: Tables, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    prepare(*tables, tmp_path, on_row=lambda done, total: told.append((done, total)))
    assert told == [(done, ROWS) for done in range(1, ROWS + 1)]


def test_of_rows_with_one_name_the_first_counts(tables: Tables, tmp_path: Path) -> None:
    replace_in(tables.ferplus, "fer0000006.png", "fer0000000.png")  # both for training
    first, second = (row for row in tables.named_rows() if row.name == "fer0000000.png")
    assert first.votes != second.votes
    assert prepare(*tables, tmp_path)["train"] == 35
    faces = read_split(tmp_path, "train").select(slice(1))
    assert faces.names == ("fer0000000.png",)
    assert faces.votes.tolist() == [list(map(int, first.votes))]
    np.testing.assert_array_equal(faces.images, [first.pixels])


@pytest.mark.parametrize(
    ("longer", "message"),
    [("ferplus", "fer2013.csv: fewer rows than the 60"), ("fer2013", "line 56: more rows than")],
)
def test_tables_of_different_length_are_refused(
    tables: Tables, tmp_path: Path, longer: str, message: str
) -> None:
    path = tables.fer2013 if longer == "ferplus" else tables.ferplus
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:55]))
    with pytest.raises(DataError, match=message):
        prepare(*tables, tmp_path / "out")
    assert not list(tmp_path.rglob("label.csv"))


def test_tables_in_different_order_are_refused(tables: Tables, tmp_path: Path) -> None:
    replace_in(tables.ferplus, "PublicTest,fer0000010.png", "PrivateTest,fer0000010.png")
    message = (
        r"fer2013.csv, line 12: Usage is 'PublicTest', but 'PrivateTest' in .*new.csv, line 12"
    )
    with pytest.raises(DataError, match=message):
        prepare(*tables, tmp_path / "out")
    assert not list(tmp_path.rglob("label.csv"))


@pytest.fixture
def labelled(tables: Tables, tmp_path: Path) -> Path:
    """A folder as the FER+ repository has it: label files and no images; one vote differs."""
    folder = tmp_path / "labelled"
    prepare(*tables, folder)
    for path in folder.rglob("*.png"):
        path.unlink()
    label_file = folder / "FER2013Train" / "label.csv"
    row = next(row for row in tables.named_rows() if row.name == "fer0000001.png")
    replace_in(
        label_file,
        f'fer0000001.png,"{BOX}",{",".join(row.votes)}',
        f'fer0000001.png,"{BOX}",0,0,0,0,0,0,0,9,0,1',
    )
    return folder


def test_label_files_with_other_votes_stop_it_and_nothing_changes(
    tables: Tables, labelled: Path
) -> None:
    before = content_of(labelled)
    message = r"FER2013Train/label.csv: holds other votes for 1 images.*--labels keep"
    with pytest.raises(DataError, match=message):
        prepare(*tables, labelled)
    assert content_of(labelled) == before


@pytest.mark.parametrize("more", [True, False])
def test_a_label_file_of_other_images_holds_other_votes(
    tables: Tables, tmp_path: Path, more: bool
) -> None:
    prepare(*tables, tmp_path)
    path = tmp_path / "FER2013Valid" / "label.csv"
    *lines, last = path.read_text().splitlines(keepends=True)
    extra = last.replace("fer", "own")
    path.write_text("".join([*lines, last, extra] if more else lines))
    with pytest.raises(DataError, match=r"label.csv: holds other votes for 1 images"):
        prepare(*tables, tmp_path)


@pytest.mark.parametrize("labels", ["keep", "replace"])
def test_label_files_with_other_votes_are_kept_or_replaced(
    tables: Tables, labelled: Path, labels: Literal["keep", "replace"]
) -> None:
    before = content_of(labelled)
    prepare(*tables, labelled, labels)
    path = labelled / "FER2013Train" / "label.csv"
    if labels == "keep":
        assert path.read_bytes() == before["FER2013Train/label.csv"]
        assert read_split(labelled, "train").votes[1, 7] == 9
    else:
        assert rows_of_csv(path) == labels_of(tables.named_rows(), "FER2013Train")


@pytest.mark.parametrize("labels", [None, "keep", "replace"])
def test_label_files_with_the_same_votes_stay(
    tables: Tables, labelled: Path, labels: Literal["keep", "replace"] | None
) -> None:
    prepare(*tables, labelled, "replace")
    path = labelled / "FER2013Valid" / "label.csv"
    path.write_text(path.read_text().replace(f',"{BOX}"', ""))  # the older form
    before = content_of(labelled)
    prepare(*tables, labelled, labels)
    assert content_of(labelled) == before


@pytest.mark.parametrize("label_files", [False, True], ids=["fresh", "with label files"])
def test_a_killed_run_leaves_nothing_to_read_and_can_be_repeated(
    tables: Tables, tmp_path: Path, label_files: bool
) -> None:
    out, whole, pipe = tmp_path / "out", tmp_path / "whole", tmp_path / "pipe.csv"
    prepare(*tables, whole)
    if label_files:
        for path in whole.rglob("label.csv"):
            (out / path.parent.name).mkdir(parents=True)
            shutil.copy(path, out / path.parent.name)

    # The command waits for more rows when six have come through the pipe.
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "mien", "prepare", "ferplus", "--fer2013", str(pipe)]
    with (
        pipe.open("r+b", buffering=0) as file,
        subprocess.Popen(
            [*command, "--ferplus", str(tables.ferplus), "--out", str(out)],
            stderr=subprocess.PIPE,
        ) as process,
    ):
        file.write(b"".join(tables.fer2013.read_bytes().splitlines(keepends=True)[:7]))
        assert process.stderr is not None
        assert process.stderr.readline() == b"Writing images: 1 of 60\n"
        process.kill()
    assert (out / "FER2013Train" / "fer0000000.png").exists()
    for split in SPLITS:
        with pytest.raises(DataError, match=r"no finished data set|data set is unfinished"):
            read_split(out, split)

    prepare(*tables, out)
    assert content_of(out) == content_of(whole)


def write_split(folder: Path, images: dict[str, bytes]) -> Path:
    """Write a test split of these image files, each with ten votes for neutral."""
    split = folder / "FER2013Test"
    split.mkdir()
    rows = [f'{name},"{BOX}",10{",0" * 9}\n' for name in images]
    (split / "label.csv").write_text("".join(rows))
    for name, content in images.items():
        (split / name).write_bytes(content)
    return split


NOISE = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
GREY = NOISE[..., 0]


@pytest.mark.parametrize("folder", ["FER2013Valid", "FER2013Test"])
def test_a_folder_without_label_file_is_no_data_set(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    with pytest.raises(DataError, match=r"FER2013Test: no label.csv.*'mien prepare'"):
        read_split(tmp_path, "test")


def test_an_empty_label_file_is_refused(tmp_path: Path) -> None:
    split = write_split(tmp_path, {})
    with pytest.raises(DataError, match=f"{split / 'label.csv'}: no rows, expected one per image"):
        read_split(tmp_path, "test")


def test_a_missing_image_is_named_with_the_line_of_its_label(tmp_path: Path) -> None:
    split = write_split(tmp_path, {"a.png": png(GREY), "b.png": png(GREY)})
    (split / "b.png").unlink()
    with pytest.raises(DataError, match=r"label.csv, line 2: there is no image b.png"):
        read_split(tmp_path, "test")


@pytest.mark.parametrize(
    "content",
    [
        png(GREY)[:1000],
        png(GREY)[:20],
        b"",
        b"no image",
        png(GREY).replace(b"\0\0\0\x0dIHDR", b"\0\0\0\x05IHDR"),
    ],
    ids=["half", "head", "empty", "text", "wrong head"],
)
def test_a_damaged_image_is_named(tmp_path: Path, content: bytes) -> None:
    split = write_split(tmp_path, {"a.png": png(GREY), "b.png": content})
    with pytest.raises(DataError, match=f"{split / 'b.png'}: not a whole picture"):
        read_split(tmp_path, "test")


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    write_split(tmp_path, {"a.png": png(GREY), "b.png": png(GREY[:40])})
    with pytest.raises(DataError, match=r"b.png: 48 x 40 pixels, the images before it 48 x 48"):
        read_split(tmp_path, "test")


def test_one_image_in_colour_makes_all_rgb(tmp_path: Path) -> None:
    write_split(tmp_path, {"a.png": png(GREY), "b.png": png(NOISE)})
    images = read_split(tmp_path, "test").images
    np.testing.assert_array_equal(images, [np.dstack([GREY] * 3), NOISE])


def made_set(*values: int) -> FaceSet:
    images = np.stack([np.full((2, 2), value, dtype=np.uint8) for value in values])
    votes = np.array([[value] * 10 for value in values])
    return FaceSet(images, votes, tuple(f"{value}.png" for value in values), "made")


@pytest.mark.parametrize("rows", [np.array([False, True, True]), slice(1, None)])
def test_select_takes_images_votes_and_names(rows: NDArray[np.bool_] | slice) -> None:
    chosen = made_set(1, 2, 3).select(rows)
    assert len(chosen) == 2
    assert chosen.names == ("2.png", "3.png")
    assert chosen.images[:, 0, 0].tolist() == chosen.votes[:, 0].tolist() == [2, 3]
    assert chosen.edition == "made"


def test_select_may_leave_nothing() -> None:
    assert len(made_set(1, 2).select(np.zeros(2, dtype=bool))) == 0


def test_also_in_tells_faces_that_stand_in_the_other_set() -> None:
    assert made_set(5, 1, 5, 2).also_in(made_set(2, 5, 9)).tolist() == [True, False, True, True]
    changed_in_one_pixel = made_set(5)
    changed_in_one_pixel.images[0, 1, 1] = 6
    assert made_set(5).also_in(changed_in_one_pixel).tolist() == [False]


# Whose memory getrusage tells is a child of a small process: a fork of this one would count
# what this one holds.
MEASURED = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "mien", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class Prepared(NamedTuple):
    folder: Path
    said: str
    peak_mb: float


@pytest.fixture(scope="module")
def prepared(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The real data set, as the command makes it."""
    folder, data = tmp_path_factory.mktemp("real"), shared / "data"
    options = {
        "--fer2013": data / "fer2013.csv.xz",
        "--ferplus": data / "fer2013new.csv",
        "--out": folder,
    }
    arguments = [str(part) for option in options.items() for part in option]
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, "prepare", "ferplus", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    *said, peak = run.stdout.splitlines()
    unit = 1 if sys.platform == "darwin" else 1024
    return Prepared(folder, "\n".join(said), int(peak) * unit / 1e6)


@pytest.mark.parametrize(
    ("split", "images", "counted"),
    [("train", 28_558, 25_057), ("valid", 3_579, 3_199), ("test", 3_573, 3_153)],
)
def test_the_real_data_set_has_all_images_and_votes(
    prepared: Prepared, split: str, images: int, counted: int
) -> None:
    folder = prepared.folder / SPLITS[split].folder
    rows = read_label_file(folder / "label.csv")
    assert len(rows) == images
    assert {path.name for path in folder.iterdir()} == {"label.csv", *(row.name for row in rows)}
    assert edition(rows) == TABLE_EDITION
    assert strict_majority(votes_array(rows))[1].sum() == counted
    assert f"{split:6}{images:7,} images" in prepared.said.splitlines()


def test_the_real_data_set_is_read_again(prepared: Prepared) -> None:
    faces = read_split(prepared.folder, "test")
    assert faces.images.shape == (3_573, 48, 48)
    assert faces.edition == TABLE_EDITION


def test_real_validation_faces_that_stand_in_training_are_found(prepared: Prepared) -> None:
    data_set = read_data_set(prepared.folder, ["train", "valid"])
    valid = data_set.splits["valid"]
    same = np.array(valid.names)[valid.also_in(data_set.splits["train"])]
    found = {leak.held_out.name for leak in find_leaks([data_set])}
    assert len(same) == 279
    assert found.issuperset(same)
    assert len(found) == pytest.approx(529, abs=5)


def test_preparing_takes_little_memory(prepared: Prepared) -> None:
    assert prepared.peak_mb < 400
