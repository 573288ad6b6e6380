"""Data sets in the layouts in which they are released, made small."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

SEVEN = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise"
EIGHT = SEVEN + ",Other"
FIRST = "annotations/EXPR_Set"
THIRD = "annotations/ABAW 3/EXPR_Classification_Challenge"
SIXTH = "annotations/ABAW 16/EXPR_Recognition_Challenge"


def write_frames(folder: Path, *numbers: int) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        picture = np.full((20, 20, 3), (number % 250, 100, 50), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{number:05}.jpg")


def write_labels(path: Path, header: str, labels: dict[int, int], count: int = 100) -> None:
    """Labels of frames 1 to `count`; those not given are -1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *(str(labels.get(frame, -1)) for frame in range(1, count + 1))]
    path.write_text("\n".join(lines) + "\n")


def write_affwild2(root: Path) -> None:
    """Aff-Wild2 as people have it: three editions, and every oddity of the real one."""
    first, third, sixth = root / FIRST, root / THIRD, root / SIXTH
    crops, more_crops = root / "cropped_aligned", root / "cropped_aligned_new_50_vids"

    # The first edition: seven classes, and a folder name of its own.
    write_labels(first / "Training_Set/alone.txt", SEVEN, {1: 0, 40: 4, 80: 6})
    write_frames(crops / "alone", 1, 40, 80)
    write_labels(first / "Validation_Set/earlier.txt", SEVEN, {3: 1})
    write_frames(crops / "earlier", 3)
    # Annotated anew in the sixth: that edition counts, also where it is the other split.
    write_labels(first / "Training_Set/anew.txt", SEVEN, {10: 0})
    write_labels(sixth / "Validation_Set/anew.txt", EIGHT, {10: 5, 50: 7})
    write_frames(crops / "anew", 10, 50)
    # In the third and in the sixth: numbers in names count by their value.
    write_labels(third / "Train_Set/renewed.txt", EIGHT, {20: 1})
    write_labels(sixth / "Train_Set/renewed.txt", EIGHT, {20: 2})
    write_frames(crops / "renewed", 20)
    # Two people: one group. Frame 40 of the right one has no picture.
    write_labels(third / "Train_Set/duo_left.txt", EIGHT, {40: 3})
    write_labels(third / "Train_Set/duo_right.txt", EIGHT, {40: 3, 90: 4})
    write_frames(crops / "duo_left", 40)
    write_frames(crops / "duo_right", 90)
    # Two people on two sides: the one to train on is left out.
    write_labels(third / "Train_Set/split.txt", EIGHT, {40: 1})
    write_labels(third / "Validation_Set/split_right.txt", EIGHT, {40: 0})
    write_frames(crops / "split", 40)
    write_frames(crops / "split_right", 40)
    # One picture more than labels, one label more than pictures; frames in another folder.
    write_labels(sixth / "Train_Set/short.txt", EIGHT, {60: 0}, count=60)
    write_frames(more_crops / "short", 60, 61)
    write_labels(sixth / "Train_Set/long.txt", EIGHT, {30: 5, 61: 0}, count=61)
    write_frames(more_crops / "long", 30)
    # In both folders of frames: the first counts.
    write_labels(sixth / "Train_Set/twice.txt", EIGHT, {5: 6})
    write_frames(crops / "twice", 5)
    write_frames(more_crops / "twice", 5, 6)
    # Nothing to take: no folder of frames; no label; all the same second; a damaged picture.
    write_labels(sixth / "Train_Set/absent.txt", EIGHT, {1: 0})
    write_labels(sixth / "Train_Set/ignored.txt", EIGHT, {})
    write_frames(crops / "ignored", 1, 2)
    write_labels(sixth / "Validation_Set/damaged.txt", EIGHT, {1: 0})
    write_frames(crops / "damaged")
    (crops / "damaged/00001.jpg").write_bytes(b"no picture")
    # What else lies about; lines as Windows ends them.
    (crops / "alone/Thumbs.db").touch()
    (crops / "alone/._00001.jpg").touch()
    (sixth / "Train_Set/._long.txt").write_bytes(b"\xff")
    (root / "annotations/VA_Set/Train_Set").mkdir(parents=True)
    (root / "annotations/VA_Set/Train_Set/alone.txt").write_text("valence,arousal\n0,0\n")
    path = first / "Training_Set/alone.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def write_releases(root: Path, picture: Path) -> None:
    """The other data sets of docs/data.md, each with a copy or some of one picture of a face."""
    places = {
        "photos/happy": ["anna-1", "anna-2", "ben-1"],
        "photos/sad": ["anna-3", "ben-2", "cleo-1"],
        "CK+/cohn-kanade-images/S005/001": [f"S005_001_0000000{n}" for n in (1, 2, 3, 4)],
        "CK+48/anger": ["S010_004_00000017", "S011_004_00000019"],
        "jaffe": ["KA.AN1.39", "KM.HA2.5"],
        "RAF-DB/basic/Image/aligned": ["train_00001_aligned", "test_0001_aligned"],
        "AffectNet/train_set/images": ["0", "1"],
        "AffectNet/val_set/images": ["2"],
    }
    for folder, names in places.items():
        (root / folder).mkdir(parents=True)
        ending = ".tiff" if folder == "jaffe" else ".png" if folder.startswith("CK+") else ".jpg"
        for name in names:
            shutil.copy(picture, root / folder / (name + ending))
    texts = {
        "CK+/Emotion/S005/001/S005_001_00000004_emotion.txt": "   3.0000000e+00\n",
        "RAF-DB/basic/EmoLabel/list_patition_label.txt": "train_00001.jpg 5\ntest_0001.jpg 4\n",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    for name, number in {"train_set/0": "1", "train_set/1": "8", "val_set/2": "7"}.items():
        split, stem = name.split("/")
        annotations = root / "AffectNet" / split / "annotations"
        annotations.mkdir(exist_ok=True)
        np.save(annotations / f"{stem}_exp.npy", number)
