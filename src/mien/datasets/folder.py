"""Any pictures with a class as a prepared-faces folder."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from mien.datasets.classes import emotions_of, read_class_map, unused_classes
from mien.datasets.cutting import Cut, Job, check_processes, cut_faces
from mien.datasets.labelled import Labelled, copies_of, from_folders, from_table, with_groups
from mien.datasets.manifest import PreparedFace, PreparedSet, check_labels
from mien.datasets.splitting import Member, drawn_splits, on_another_side
from mien.datasets.unfinished import begin, finish
from mien.errors import ConfigError, DataError
from mien.labels import EMOTIONS

DEFAULT_CUT = Cut()
DEFAULT_VALID_SHARE = 0.1
#: So many classes of a map are named in the report.
SHOWN = 10
#: Sums of probabilities that are so close are the same.
TIE = 1e-9


class Answer(NamedTuple):
    """What a picture shows: an emotion, and the probability of each where that is known."""

    emotion: str
    probabilities: tuple[float, ...] | None = None


def prepare(
    images: Path,
    out: Path,
    table: Path | None = None,
    class_map: Path | None = None,
    group: str | None = None,
    how: Cut = DEFAULT_CUT,
    valid_share: float | None = None,
    test_share: float | None = None,
    seed: int = 0,
    processes: int = 1,
    on_step: Callable[[int, int, str], None] | None = None,
) -> PreparedSet:
    """Make a prepared-faces folder of pictures that have a class, and return what it holds.

    The same arguments make the same files. An interrupted run goes on where it stopped.

    Args:
        images: the folder that all pictures are in or below.
        out: a folder that is empty or not there, and not below `images`.
        table: the pictures' classes, as `from_table` reads them; without it, the folders that
            they are in name their classes, as `from_folders` reads them.
        class_map: what each class is, as `read_class_map` reads it.
        group: a regular expression that finds the person or video in a path.
        how: how faces are cut.
        valid_share: the part of the training pictures to validate on, where no validation
            pictures are given; 0.1 if None.
        test_share: the part of the training pictures to test on, where no test pictures are
            given; none if None.
        seed: another one splits otherwise.
        processes: how many work at once.
        on_step: called with the steps done, the steps there are, and what they are.

    Raises:
        DataError: a table or a picture's class can't be taken.
        ConfigError: a value is out of range, or contradicts the pictures.
    """
    check_processes(processes)
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(images)):
        raise ConfigError(f"{out}: lies in the folder of pictures, {images}; choose another place")
    mapped = {} if class_map is None else read_class_map(class_map)
    report = Counter({"pictures": 0})
    pictures = from_folders(images, report) if table is None else from_table(images, table)
    if group is not None and any(picture.group for picture in pictures):
        raise ConfigError("--group: the table has a column for groups already")
    report["pictures"] = len(pictures)
    labels, answers = _answers(pictures, mapped, report)
    if not answers:
        raise DataError(f"{_nothing_left(images, report)}, expected class folders or --labels")
    check_labels(str(class_map or table or images), labels)
    pictures = [picture for picture in pictures if picture.path in answers]
    if group is not None:
        pictures = with_groups(pictures, group)
    copies = copies_of([images / picture.path for picture in pictures])
    members = [
        Member(one.path, answers[one.path].emotion, one.group, of_one)
        for one, of_one in zip(pictures, copies, strict=True)
    ]
    given = {one.path: one.split for one in pictures}
    split_of = _splits(members, given, valid_share, test_share, seed, report)
    faces = _faces(pictures, answers, split_of)
    if not faces:
        raise DataError(_nothing_left(images, report))
    settings = {
        **asdict(how),
        "group": group,
        "map": mapped,
        "valid_share": valid_share,
        "test_share": test_share,
        "seed": seed,
    }
    begin(out, settings, [images.resolve(), *faces])
    jobs = [Job(images / face.source, out / face.path) for face in faces]
    outcomes = cut_faces(how, jobs, processes, on_step)
    details = {"settings": settings, "report": report}
    return finish(out, PreparedSet("folder", labels, faces, details), outcomes)


def _nothing_left(images: Path, report: Mapping[str, int]) -> str:
    told = ", ".join(f"{what}: {count:,}" for what, count in report.items())
    return f"{images}: nothing is left to take ({told})"


def _answers(
    pictures: Sequence[Labelled], mapped: Mapping[str, str], report: Counter[str]
) -> tuple[tuple[str, ...], dict[str, Answer]]:
    """The labels of the set, and what each picture that is taken shows, by its path."""
    columns = [name for name, _ in pictures[0].probabilities]
    classes = Counter(picture.name for picture in pictures if picture.name)
    counts = {**dict.fromkeys(columns, len(pictures)), **classes}
    emotion_of = emotions_of(counts, mapped)
    if unused := unused_classes(counts, mapped):
        shown = ", ".join(unused[:SHOWN]) + ", ..." * (len(unused) > SHOWN)
        report[f"classes of the map that no picture is of: {shown}"] = len(unused)
    kept = set(emotion_of.values()) - {""}
    labels = [name for name in EMOTIONS if name in kept] + sorted(kept - set(EMOTIONS))
    answers = {}
    for picture in pictures:
        if not picture.name and not picture.probabilities:
            report["pictures outside of the class folders"] += 1
        elif (answer := _answer(picture, emotion_of, labels)) is None:
            why = picture.name if not emotion_of.get(picture.name, "-") else "by half"
            report[f"pictures of a class that is left out: {why}"] += 1
        else:
            answers[picture.path] = answer
            if answer.probabilities:
                own = answer.probabilities[labels.index(answer.emotion)]
                if own < max(answer.probabilities):
                    report["pictures whose label is not the most probable: taken"] += 1
    return tuple(labels), answers


def _answer(
    picture: Labelled, emotion_of: Mapping[str, str], labels: Sequence[str]
) -> Answer | None:
    """None if the picture's class is left out; without one, if half of the probability is."""
    if not picture.probabilities:
        emotion = emotion_of[picture.name]
        return Answer(emotion) if emotion else None
    sums = dict.fromkeys(labels, 0.0)
    for name, value in picture.probabilities:
        if emotion_of[name]:
            sums[emotion_of[name]] += value
    kept = sum(sums.values())
    half = sum(value for _, value in picture.probabilities) / 2
    likeliest = max(labels, key=sums.__getitem__) if kept > half + TIE else ""
    emotion = emotion_of[picture.name] if picture.name else likeliest
    if not emotion or kept == 0:
        return None
    return Answer(emotion, tuple(value / kept for value in sums.values()))


def _splits(
    members: Sequence[Member],
    given: Mapping[str, str],
    valid_share: float | None,
    test_share: float | None,
    seed: int,
    report: Counter[str],
) -> dict[str, str]:
    """The split of every picture that is taken, by its path."""
    split_of = {name: split or "train" for name, split in given.items()}
    shares = _shares(set(given.values()), valid_share, test_share)
    for name in on_another_side(members, split_of):
        report["pictures whose group, or a copy, is validated or tested on: left out"] += 1
        del split_of[name]
    pool = [member for member in members if split_of.get(member.name) == "train"]
    return split_of | drawn_splits(pool, shares, seed)


def _shares(
    given: set[str], valid_share: float | None, test_share: float | None
) -> dict[str, float]:
    """The part of the training pictures that each other split gets."""
    shares = {}
    defaults = {"test": 0.0, "valid": DEFAULT_VALID_SHARE}
    for split, share in {"test": test_share, "valid": valid_share}.items():
        if split in given:
            if share is not None:
                raise ConfigError(f"--{split}-share: the pictures have a split {split} already")
            continue
        shares[split] = defaults[split] if share is None else share
        if not 0 <= shares[split] < 1:
            raise ConfigError(f"--{split}-share is {share}, expected 0 to less than 1")
    if sum(shares.values()) >= 1:
        raise ConfigError("--valid-share and --test-share leave nothing to train on")
    return shares


def _faces(
    pictures: Sequence[Labelled], answers: Mapping[str, Answer], split_of: Mapping[str, str]
) -> tuple[PreparedFace, ...]:
    """The rows of the manifest; a number keeps names apart."""
    faces = []
    for number, picture in enumerate(pictures, start=1):
        if picture.path not in split_of:
            continue
        split, answer = split_of[picture.path], answers[picture.path]
        stem = re.sub(r"[^\w.-]", "_", Path(picture.path).stem, flags=re.ASCII)[:60]
        faces.append(
            PreparedFace(
                f"{split}/{answer.emotion}/{number:06}-{stem}.png",
                split,
                answer.emotion,
                picture.group,
                picture.path,
                probabilities=answer.probabilities,
            )
        )
    return tuple(faces)
