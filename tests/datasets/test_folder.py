import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from mien.cli.app import app
from mien.datasets.cutting import Cut, Job, cut_faces
from mien.datasets.folder import prepare
from mien.datasets.labelled import copies_of
from mien.datasets.manifest import PreparedSet, read_prepared
from mien.detection import RetinaFace
from mien.errors import ConfigError, DataError
from mien.images import read_image
from mien.results import DetectedFace

CROPPED = Cut(24, cropped=True)


def write_pictures(folder: Path, *paths: str) -> None:
    """Small pictures, no two the same."""
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        color = (number % 250, number // 250, 200)
        Image.new("RGB", (30, 40), color).save(folder / path)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(prepared: PreparedSet) -> list[tuple[str, str, str, str]]:
    return [(face.source, face.split, face.emotion, face.group) for face in prepared.faces]


def command(images: Path, out: Path, *options: str) -> list[str]:
    return ["prepare", "folder", "--images", str(images), "--out", str(out), *options]


def run(images: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(app, command(images, out, *options))


@pytest.fixture
def photographs(tmp_path: Path, astronaut: NDArray[np.uint8]) -> Path:
    """A face, two faces, none, and a damaged file."""
    images = tmp_path / "photographs"
    for folder in ("Happy", "neutral"):
        (images / folder).mkdir(parents=True)
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(images / "Happy/one face.png"), astronaut)
    cv2.imwrite(str(images / "Happy/two.png"), np.hstack([astronaut[:256, 100:356], half]))
    cv2.imwrite(str(images / "neutral/none.png"), np.full((90, 90, 3), 99, dtype=np.uint8))
    (images / "neutral/broken.jpg").write_bytes(b"\xff\xd8\xff")
    (images / "readme.png").write_bytes(b"")
    return images


def test_faces_are_found_and_cut_and_the_rest_is_reported(
    photographs: Path, tmp_path: Path
) -> None:
    prepared = prepare(photographs, tmp_path / "out", valid_share=0)
    assert [face.path for face in prepared.faces] == ["train/happiness/000001-one_face.png"]
    assert prepared.labels == ("neutral", "happiness")
    assert prepared.details["report"] == {
        "pictures": 5,
        "pictures outside of the class folders": 1,
        "several faces": 1,
        "no face": 1,
        "damaged": 1,
        "faces": 1,
    }
    skipped = (tmp_path / "out/skipped.csv").read_text().splitlines()
    assert skipped[0] == "source,frame,why,reason"
    assert skipped[1] == "Happy/two.png,,several faces,"
    assert skipped[2].startswith("neutral/broken.jpg,,damaged,not a whole picture")
    assert skipped[3] == "neutral/none.png,,no face,"


def test_the_cut_is_the_canonical_frame(photographs: Path, tmp_path: Path) -> None:
    prepare(photographs, tmp_path / "out", how=Cut(96), valid_share=0)
    prepare(tmp_path / "out/train", tmp_path / "again", how=Cut(96), valid_share=0)
    face = read_image(tmp_path / "out/train/happiness/000001-one_face.png")
    again = read_image(tmp_path / "again/train/happiness/000001-000001-one_face.png")
    assert face.shape == (96, 96, 3)
    # A face that already sits in the frame is found where the frame has it.
    shift, _ = cv2.phaseCorrelate(*(cv2.cvtColor(f, 7).astype(np.float64) for f in (face, again)))
    assert max(map(abs, shift)) < 4


def test_of_several_faces_the_largest_is_taken_if_asked(photographs: Path, tmp_path: Path) -> None:
    prepared = prepare(photographs, tmp_path / "out", how=Cut(48, several="largest"))
    assert Counter(face.emotion for face in prepared.faces) == {"happiness": 2}


def test_a_part_of_the_face_that_was_found_as_one_is_no_second_face(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detect(_detector: RetinaFace, _picture: NDArray[np.uint8]) -> list[DetectedFace]:
        return [DetectedFace((20, 20, 60, 80)), DetectedFace((35, 30, 40, 45))]

    monkeypatch.setattr(RetinaFace, "detect", detect)
    prepared = prepare(photographs, tmp_path / "out", valid_share=0)
    assert len(prepared.faces) == 3


def test_of_several_faces_the_largest_is_cut_in_whatever_order_they_are_found(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = DetectedFace((20, 20, 60, 70)), DetectedFace((2, 2, 10, 10))
    cuts = []
    for number, found in enumerate(([large], [large, small], [small, large])):
        monkeypatch.setattr(RetinaFace, "detect", lambda *_, found=found: found)
        out = tmp_path / str(number)
        prepare(photographs, out, how=Cut(48, several="largest"), valid_share=0)
        cuts.append({name: content for name, content in files(out).items() if "train/" in name})
    assert len(cuts[0]) == 3
    assert cuts[0] == cuts[1] == cuts[2]


@pytest.mark.parametrize(("x", "is_part"), [(-8, True), (-14, False), (48, True), (54, False)])
def test_a_face_whose_centre_lies_beside_the_largest_is_a_second_one(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, x: int, is_part: bool
) -> None:
    large, other = DetectedFace((0, 0, 60, 80)), DetectedFace((x, 30, 20, 20))
    monkeypatch.setattr(RetinaFace, "detect", lambda *_: [large, other])
    arguments = (photographs, tmp_path / "out")
    if is_part:
        assert len(prepare(*arguments, valid_share=0).faces) == 3
    else:
        with pytest.raises(DataError, match="of the first: several faces"):
            prepare(*arguments, valid_share=0)


def test_copies_are_drawn_for_the_same_split(tmp_path: Path) -> None:
    names = [f"happy/{number}.png" for number in range(20)]
    write_pictures(tmp_path / "images", *names)
    for number in range(10):
        shutil.copy(
            tmp_path / f"images/happy/{number}.png", tmp_path / f"images/happy/c{number}.png"
        )
    prepared = prepare(tmp_path / "images", tmp_path / "out", how=CROPPED, valid_share=0.4)
    split_of = {Path(face.source).stem: face.split for face in prepared.faces}
    assert Counter(split_of.values()) == {"train": 18, "valid": 12}
    assert [split_of[f"c{number}"] for number in range(10)] == [
        split_of[str(number)] for number in range(10)
    ]
    assert len({split_of[str(number)] for number in range(10)}) == 2


def test_two_files_are_enough_to_be_copies(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a.png", "b.png")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(noise).save(tmp_path / "c.png")  # with its copy the only one of this length
    shutil.copy(tmp_path / "c.png", tmp_path / "d.png")
    first, second, one, other = copies_of([tmp_path / f"{name}.png" for name in "abcd"])
    assert first == second == ""
    assert one == other != ""


def test_the_first_pair_of_brackets_is_the_group(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "sad/p1-c1.png", "sad/p1-c2.png", "sad/p2-c1.png")
    prepared = prepare(
        tmp_path / "images", tmp_path / "out", group=r"(p\d)-(c\d)", how=CROPPED, valid_share=0
    )
    assert [face.group for face in prepared.faces] == ["p1", "p1", "p2"]


def test_a_run_that_ended_before_its_first_note_goes_on_and_leaves_no_note(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "sad/a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "begun.json.part").write_text("{")
    prepare(tmp_path / "images", out, how=CROPPED, valid_share=0)
    (face,) = (path for path in files(out) if path.endswith(".png"))
    assert set(files(out)) == {face, "manifest.csv", "set.json", "skipped.csv"}


def test_files_that_are_no_pictures_join_nobody(tmp_path: Path) -> None:
    people = [f"p{number}" for number in range(10)]
    write_pictures(tmp_path / "images", *(f"happy/{one}-{n}.png" for one in people for n in "ab"))
    for one in people:
        (tmp_path / f"images/happy/{one}-c.png").touch()
        (tmp_path / f"images/happy/{one}-d.png").write_text("404 Not Found")
    prepared = prepare(
        tmp_path / "images", tmp_path / "out", group=r"(p\d)", how=CROPPED, valid_share=0.2
    )
    assert Counter(face.split for face in prepared.faces) == {"train": 16, "valid": 4}
    assert prepared.details["report"]["damaged"] == 20


def test_a_label_against_its_probabilities_is_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png", "b.png", "c.png")
    table = tmp_path / "labels.csv"
    table.write_text(
        "path,label,p_sad,p_happy\na.png,sad,1,0\nb.png,sad,0.5,0.5\nc.png,sad,0.2,0.8\n"
    )
    prepared = prepare(tmp_path / "images", tmp_path / "out", table, how=CROPPED, valid_share=0)
    assert [face.emotion for face in prepared.faces] == ["sadness"] * 3
    report = prepared.details["report"]
    assert report["pictures whose label is not the most probable: taken"] == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_called_as_a_picture_is_reported(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "happy/a.png")
    os.mkfifo(tmp_path / "images/happy/pipe.png")
    prepare(tmp_path / "images", tmp_path / "out", how=CROPPED, valid_share=0)
    skipped = (tmp_path / "out/skipped.csv").read_text().splitlines()
    assert skipped[1] == 'happy/pipe.png,,damaged,"a pipe, expected a picture"'


def test_a_lack_of_memory_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks_memory(*_: object) -> None:
        raise MemoryError

    write_pictures(tmp_path / "images", "happy/large.png")
    monkeypatch.setattr(Image.Image, "convert", lacks_memory)
    done = run(tmp_path / "images", tmp_path / "out", "--cropped", "--valid-share", "0")
    assert done.exit_code == 1
    path = tmp_path / "images/happy/large.png"
    assert done.stderr.splitlines()[-1] == f"mien: too little memory: {path}"


def test_a_face_that_can_not_be_written_is_named_and_leaves_no_part(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    (tmp_path / "images/happy").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "images/happy/noise.png"), noise)
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999)); "
        "from mien.__main__ import main; main()"
    )
    arguments = command(tmp_path / "images", tmp_path / "out", "--cropped", "--valid-share", "0")
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    face = tmp_path / "out/train/happiness/000001-noise.png"
    assert done.stderr.splitlines()[-1] == f"mien: [Errno 27] File too large: '{face}'"
    assert list(face.parent.iterdir()) == []


def test_grey_pictures_stay_grey(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "happy/a.png")
    Image.new("L", (30, 30), 77).save(tmp_path / "images/happy/b.png")
    prepare(tmp_path / "images", tmp_path / "out", how=CROPPED, valid_share=0)
    pictures = sorted((tmp_path / "out/train/happiness").iterdir())
    modes = []
    for path in pictures:
        with Image.open(path) as picture:
            modes.append(picture.mode)
    assert modes == ["RGB", "L"]


def test_folders_may_name_splits_and_classes_and_more_below(tmp_path: Path) -> None:
    write_pictures(
        *(tmp_path / "images", "train/Happy/x.jpg", "train/Happy/anna/x.jpg", "val/sad/x.png"),
        "Test/angry/y.webp",
    )
    prepared = prepare(tmp_path / "images", tmp_path / "out", how=CROPPED)
    assert rows(prepared) == [
        ("Test/angry/y.webp", "test", "anger", ""),
        ("train/Happy/anna/x.jpg", "train", "happiness", ""),
        ("train/Happy/x.jpg", "train", "happiness", ""),
        ("val/sad/x.png", "valid", "sadness", ""),
    ]
    assert prepared.labels == ("happiness", "sadness", "anger")
    assert read_prepared(tmp_path / "out") == prepared


def test_splits_below_the_classes_are_refused(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_pictures(images, "happy/train/x.png", "happy/Test/y.png", "sad/train/x.png", "sad/z.png")
    with pytest.raises(
        DataError,
        match=r"images: the folders below the classes are called Test, train; "
        r"expected Test/happy/\.\.\., say, or --labels",
    ):
        prepare(images, tmp_path / "out", how=CROPPED)


def test_a_folder_that_links_lead_to_again_is_taken_once(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_pictures(images, "happy/a.png", "sad/b.png")
    (images / "happy/again").symlink_to("..")
    (images / "sadness").symlink_to("sad")
    prepared = prepare(images, tmp_path / "out", how=CROPPED, valid_share=0)
    assert [face.source for face in prepared.faces] == ["happy/a.png", "sad/b.png"]


def test_files_of_other_endings_are_counted(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_pictures(images, "happy/a.png")
    for name in ("b.HEIC", "c.jpg_large", "d", ".hidden"):
        (images / "happy" / name).touch()
    prepared = prepare(images, tmp_path / "out", how=CROPPED, valid_share=0)
    assert prepared.details["report"] == {
        "pictures": 1,
        "files without the ending of a picture": 3,
        "faces": 1,
    }
    (images / "happy/a.png").unlink()
    with pytest.raises(DataError, match="but files without the ending of a picture: 3"):
        prepare(images, tmp_path / "other", how=CROPPED)


def test_what_is_hidden_is_left_out(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_pictures(images, "happy/a.png", "happy/.ipynb_checkpoints/a.png", ".trash/sad/b.png")
    prepared = prepare(images, tmp_path / "out", how=CROPPED, valid_share=0)
    assert [face.source for face in prepared.faces] == ["happy/a.png"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_pictures(images, "happy/a.png", "sad/b.png")
    (images / "sad").chmod(0)
    if os.access(images / "sad", os.R_OK):
        pytest.skip("whoever runs this may read everything")
    with pytest.raises(DataError, match=r"sad: can't be read \(Permission denied\)"):
        prepare(images, tmp_path / "out", how=CROPPED)


def test_pictures_without_a_class_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "1.png", "2.png")
    refused = run(tmp_path / "images", tmp_path / "out", "--cropped")
    assert refused.exit_code == 1
    assert (
        "images: nothing is left to take (pictures: 2, pictures outside of the class folders: 2), "
        "expected class folders or --labels"
    ) in " ".join(refused.stderr.split())
    assert not (tmp_path / "out").exists()


def test_classes_are_mapped_dropped_and_kept_by_name(tmp_path: Path) -> None:
    write_pictures(
        tmp_path / "images", *(f"{name}/1.png" for name in ("joy", "sad", "bored", "Odd"))
    )
    refused = run(tmp_path / "images", tmp_path / "out", "--cropped")
    assert refused.exit_code == 1
    assert "no emotion is known for the class 'Odd' (1 pictures), 'bored'" in refused.stderr
    (tmp_path / "map.csv").write_text("class,emotion\njoy,happy\nbored,\nodd,odd\n")
    shown = run(
        *(tmp_path / "images", tmp_path / "out", "--cropped", "--valid-share", "0"),
        *("--map", str(tmp_path / "map.csv")),
    )
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[1] == ["class", "train"]
    assert lines[3:7] == [["happiness", "1"], ["sadness", "1"], ["odd", "1"], ["all", "3"]]
    assert "pictures of a class that is left out: bored 1" in " ".join(shown.stdout.split())


def test_rows_of_a_map_that_no_picture_is_of_are_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "Joy/1.png", "odd/1.png")
    mapping = tmp_path / "map.csv"
    mapping.write_text("class,emotion\njoy,happiness\nodd,other\nother,other\nsadd,sad\nbord,\n")
    prepared = prepare(
        tmp_path / "images", tmp_path / "out", class_map=mapping, how=CROPPED, valid_share=0
    )
    assert prepared.details["report"] == {
        "pictures": 2,
        "classes of the map that no picture is of: sadd, bord": 2,
        "faces": 2,
    }


def test_groups_from_the_path_stay_on_one_side(tmp_path: Path) -> None:
    names = [
        f"{c}/S{person:02}_{n}.png" for c in ("sad", "angry") for person in range(20) for n in "ab"
    ]
    write_pictures(tmp_path / "images", *names)
    prepared = prepare(
        *(tmp_path / "images", tmp_path / "out"),
        group=r"(S\d+)_",
        how=CROPPED,
        valid_share=0.2,
        test_share=0.1,
    )
    assert Counter(face.split for face in prepared.faces) == {"train": 56, "valid": 16, "test": 8}
    assert len({face.group for face in prepared.faces}) == 20
    with pytest.raises(
        DataError, match=r"--group: 'T' finds nothing in the path 'angry/S00_a\.png'"
    ):
        prepare(tmp_path / "images", tmp_path / "other", group="T", how=CROPPED)
    write_pictures(tmp_path / "images", "cover.png")
    beside = prepare(tmp_path / "images", tmp_path / "beside", group=r"(S\d+)_", how=CROPPED)
    assert beside.details["report"]["pictures outside of the class folders"] == 1
    for pattern in ("(", "\udcff"):
        with pytest.raises(ConfigError, match=r"--group: '\S+' is no regular expression"):
            prepare(tmp_path / "images", tmp_path / "other", group=pattern, how=CROPPED)
    assert not (tmp_path / "other").exists()


def test_a_name_is_one_group_however_its_accents_are_written(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "José") for form in ("NFC", "NFD")]
    write_pictures(tmp_path / "images", *(f"sad/{name}-{n}.png" for n, name in enumerate(names)))
    if len(list((tmp_path / "images/sad").iterdir())) < 2:
        pytest.skip("this file system writes accents in its own way")
    for pattern in (r"/(\w+)-", f"({names[0]})", f"({names[1]})"):
        prepared = prepare(
            tmp_path / "images", tmp_path / pattern.replace("/", "_"), group=pattern, how=CROPPED
        )
        assert {face.group for face in prepared.faces} == {names[0]}
    table = tmp_path / "labels.csv"
    lines = [f"sad/{name}-{n}.png,sad,{name}" for n, name in enumerate(names)]
    table.write_text("\n".join(["path,label,group", *lines]), encoding="utf-8")
    prepared = prepare(tmp_path / "images", tmp_path / "out", table, how=CROPPED)
    assert {face.group for face in prepared.faces} == {names[0]}


def test_a_group_on_two_given_sides_is_left_out_of_training(tmp_path: Path) -> None:
    write_pictures(
        tmp_path / "images",
        *("train/sad/anna-1.png", "train/sad/ben-1.png", "valid/sad/anna-2.png"),
    )
    prepared = prepare(tmp_path / "images", tmp_path / "out", group=r"(\w+)-", how=CROPPED)
    assert rows(prepared) == [
        ("train/sad/ben-1.png", "train", "sadness", "ben"),
        ("valid/sad/anna-2.png", "valid", "sadness", "anna"),
    ]
    report = prepared.details["report"]
    assert report["pictures whose group, or a copy, is validated or tested on: left out"] == 1


def test_a_missing_validation_split_is_drawn_from_training(tmp_path: Path) -> None:
    write_pictures(
        tmp_path / "images",
        *(f"train/sad/{number}.png" for number in range(20)),
        *(f"test/sad/{number}.png" for number in range(5)),
    )
    prepared = prepare(tmp_path / "images", tmp_path / "out", how=CROPPED)
    assert Counter(face.split for face in prepared.faces) == {"train": 18, "valid": 2, "test": 5}
    with pytest.raises(ConfigError, match="--test-share: the pictures have a split test already"):
        prepare(tmp_path / "images", tmp_path / "other", how=CROPPED, test_share=0.1)
    with pytest.raises(ConfigError, match="--valid-share is 1, expected 0 to less than 1"):
        prepare(tmp_path / "images", tmp_path / "other", how=CROPPED, valid_share=1)


def test_a_table_gives_labels_splits_and_groups(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png", "b.png", "c/d.png")
    table = tmp_path / "labels.csv"
    table.write_text(
        "path,label,split,group,age\na.png,Happy,train,p1,30\nb.png,fear,TEST,p2,31\n"
        "c/d.png,happiness,training,p1,32\n"
    )
    prepared = prepare(tmp_path / "images", tmp_path / "out", table, how=CROPPED, valid_share=0)
    assert rows(prepared) == [
        ("a.png", "train", "happiness", "p1"),
        ("b.png", "test", "fear", "p2"),
        ("c/d.png", "train", "happiness", "p1"),
    ]
    with pytest.raises(ConfigError, match="--group: the table has a column for groups already"):
        prepare(tmp_path / "images", tmp_path / "other", table, group=".", how=CROPPED)


def test_a_table_of_probabilities_is_mapped_and_left_out_by_class(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png", "b.png", "c.png", "d.png", "e.png")
    table, mapping = tmp_path / "labels.csv", tmp_path / "map.csv"
    table.write_text(
        "path,p_Happy,p_joy,p_sad,p_unclear\na.png,.2,.3,.3,.2\nb.png,0,0.25,0.75,0\n"
        "c.png,.4,0,0,.6\nd.png,.33,.17,.0,.49\ne.png,0,0,.5,.5\n"
    )
    mapping.write_text("class,emotion\njoy,happiness\nunclear,\n")
    prepared = prepare(
        tmp_path / "images", tmp_path / "out", table, mapping, how=CROPPED, valid_share=0
    )
    assert prepared.labels == ("happiness", "sadness")
    assert [(face.source, face.emotion) for face in prepared.faces] == [
        ("a.png", "happiness"),
        ("b.png", "sadness"),
        ("d.png", "happiness"),
    ]
    probabilities = [face.probabilities for face in prepared.faces[:2]]
    np.testing.assert_allclose(probabilities, [[0.625, 0.375], [0.25, 0.75]])  # type: ignore[arg-type]
    assert prepared.details["report"]["pictures of a class that is left out: by half"] == 2


def test_a_class_that_is_kept_is_not_told_as_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "a.png", "b.png", "c.png")
    table, mapping = tmp_path / "labels.csv", tmp_path / "map.csv"
    table.write_text(
        "path,label,p_happy,p_unclear\na.png,happy,1,0\nb.png,happy,0,1\nc.png,unclear,1,0\n"
    )
    mapping.write_text("class,emotion\nunclear,\n")
    prepared = prepare(
        tmp_path / "images", tmp_path / "out", table, mapping, how=CROPPED, valid_share=0
    )
    assert prepared.details["report"] == {
        "pictures": 3,
        "pictures of a class that is left out: by half": 1,
        "pictures of a class that is left out: unclear": 1,
        "faces": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,lable\n", "line 1: the header is 'path,lable', expected the columns path and label"),
        ("path,label,label\n", "line 1: a column appears twice in 'path,label,label'"),
        ("path,label\na.png\n", "line 2: 1 columns, expected 2"),
        ("path,label\nb.png,sad\n", "line 2: there is no picture .*b.png"),
        ("path,label\na.png,sad\na.png,sad\n", "line 3: 'a.png' appears twice"),
        ("path,label\na.png,sad\n.//a.png,fear\n", "line 3: 'a.png' appears twice"),
        ("path,label\n../a.png,sad\n", "line 2: '../a.png' is no path inside the folder"),
        ("path,label\n/a.png,sad\n", "line 2: '/a.png' is no path inside the folder"),
        (f"path,label\n{'a' * 300}.png,sad\n", "line 2: '.*aaa.png': File name too long"),
        ("path,label\na.png,\n", "line 2: the label is empty"),
        ("path,label,split\na.png,sad,other\n", "line 2: the split is 'other', expected train"),
        ("path,label,split\na.png,sad,\nc.png,sad,test\n", "some rows have a split and some have"),
        ("path,p_sad,p_happy\na.png,1,1\n", "line 2: the probabilities sum to 2, expected 1"),
        (
            "path,p_sad,p_happy\na.png,0.5,0.48\n",
            "line 2: the probabilities sum to 0.98, expected 1",
        ),
        ("path,p_sad,p_happy\na.png,1,x\n", "line 2: 'x' is no probability from 0 to 1"),
        ("path,label\n", "no rows, expected one per picture"),
    ],
)
def test_a_broken_table_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    write_pictures(tmp_path / "images", "a.png", "c.png")
    table = tmp_path / "labels.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=f"labels.csv(, |: ){message}"):
        prepare(tmp_path / "images", tmp_path / "out", table, how=CROPPED)


def test_what_can_not_be_done_is_said(tmp_path: Path) -> None:
    images = tmp_path / "images"
    with pytest.raises(DataError, match="images: no such folder"):
        prepare(images, tmp_path / "out")
    images.mkdir()
    with pytest.raises(DataError, match="images: no pictures in it or below"):
        prepare(images, tmp_path / "out")
    write_pictures(images, "sad/a.png")
    with pytest.raises(ConfigError, match="lies in the folder of pictures"):
        prepare(images, images / "out")
    with pytest.raises(DataError, match="none of 1 pictures gave a face; of the first: no face"):
        prepare(images, tmp_path / "out")
    with pytest.raises(DataError, match="out: begun with other settings or from other files"):
        prepare(images, tmp_path / "out", how=CROPPED)
    (tmp_path / "out" / "begun.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match="out: begun with other settings or from other files"):
        prepare(images, tmp_path / "out")
    with pytest.raises(DataError, match="holds other files; choose a folder"):
        prepare(images, images.parent, how=CROPPED)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: is a file, expected a folder that is empty or not"):
        prepare(images, tmp_path / "file", how=CROPPED)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DataError, match="link: is a link that leads nowhere, expected a folder"):
        prepare(images, tmp_path / "link", how=CROPPED)
    with pytest.raises(ConfigError, match="processes is 0, expected 1 or more"):
        prepare(images, tmp_path / "none", how=CROPPED, processes=0)
    assert not (tmp_path / "none").exists()
    (tmp_path / "map.csv").write_text("class,emotion\na/b,a/b\n")
    (tmp_path / "labels.csv").write_text("path,label\nsad/a.png,a/b\n")
    with pytest.raises(DataError, match=r"map\.csv: 'a/b' is no name for a class"):
        prepare(images, tmp_path / "other", tmp_path / "labels.csv", tmp_path / "map.csv")
    with pytest.raises(ConfigError, match="processes is 0, expected 1 or more"):
        cut_faces(CROPPED, [Job(images, images)], 0)
    with pytest.raises(ConfigError, match="cropped pictures are not searched for faces"):
        Cut(cropped=True, several="largest")


@pytest.mark.skipif(os.name == "nt", reason="there are no such links")
def test_a_link_that_leads_to_itself_is_no_folder_to_make(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "sad/a.png")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="loop: is a link that leads nowhere, expected a folder"):
        prepare(tmp_path / "images", tmp_path / "loop")


def test_a_name_that_no_table_can_hold_is_an_error_at_once(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", "sad/a.png")
    try:
        write_pictures(tmp_path / "images", os.fsdecode(b"sad/\xff.png"))
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(DataError, match=r"a name that is no UTF-8; rename it"):
        prepare(tmp_path / "images", tmp_path / "out", how=CROPPED)


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "killed"
    write_pictures(images, *(f"sad/{number:04}.png" for number in range(300)))
    options = ("--cropped", "--processes", "2")
    killed = subprocess.Popen(
        [sys.executable, "-m", "mien", *command(images, out, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert killed.stderr is not None
    assert killed.stderr.readline().startswith(b"Faces: 1 of 300")
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)  # to the end of its processes, which hold the pipes too
    done = [path for path in files(out) if path.endswith(".png")]
    assert 0 < len(done) < 300
    assert not (out / "set.json").exists()

    assert run(images, out, "--cropped").exit_code == 0
    assert run(images, tmp_path / "undisturbed", "--cropped").exit_code == 0
    assert files(out) == files(tmp_path / "undisturbed")
