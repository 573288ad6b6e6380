"""Aff-Wild2 as a prepared-faces folder: a few frames of every video."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mien.datasets.affwild2_annotations import OTHER, SEVEN, Annotation, read_editions
from mien.datasets.cutting import Cut, Job, check_processes, cut_faces
from mien.datasets.draws import draw
from mien.datasets.manifest import PreparedFace, PreparedSet
from mien.datasets.unfinished import begin, finish
from mien.errors import ConfigError, DataError
from mien.files import PICTURE_SUFFIXES
from mien.labels import EMOTIONS

#: Frames that are taken lie at least this far apart: a second at 30 frames a second.
LEAST_GAP = 30

#: What the report counts, in its order.
REPORT = (
    FILES := "annotation files",
    OTHER_EDITION := "left out: another edition or split counts",
    OTHER_SIDE := "left out: training side of a video to validate on",
    NO_FOLDER := "left out: no folder of frames",
    LABELS := "labels in the files that count",
    IGNORED := "labels of -1",
    LEFT_OUT := "labels of a class that is left out",
    NO_PICTURE := "labels without a picture",
    USABLE := "labels with a picture",
    NO_LABEL := "pictures without a label",
    CHOSEN := "frames chosen",
)


def prepare(
    frames: Sequence[Path],
    annotations: Sequence[Path],
    out: Path,
    per_video: int = 8,
    size: int = Cut.size,
    seed: int = 0,
    keep_other: bool = False,
    processes: int = 1,
    on_step: Callable[[int, int, str], None] | None = None,
) -> PreparedSet:
    """Make a prepared-faces folder of Aff-Wild2, and return what it holds.

    The same arguments make the same files. An interrupted run goes on where it stopped.

    Args:
        frames: folders with a folder of cropped frames for every video; of several that hold a
            video, the first counts.
        annotations: folders with one edition or several; of several that annotate a video, the
            first counts, and within a folder the order is that of `read_editions`.
        out: a folder that is empty or not there.
        per_video: frames to take of every person in every video, at most.
        size: the side of the pictures, in pixels.
        seed: another one takes other frames.
        keep_other: keep the class `other`, which none of mien's emotions is; else it is left out.
        processes: how many work at once.
        on_step: called with the steps done, the steps there are, and what they are.

    Raises:
        DataError: nothing fits together, or an annotation is broken.
        ConfigError: a number is out of range.
    """
    check_processes(processes)
    if per_video < 1:
        raise ConfigError(f"per_video is {per_video}, expected 1 or more")
    for folder in frames:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
    how = Cut(size, cropped=True)
    labels = tuple(name for name in EMOTIONS if name in SEVEN) + (OTHER,) * keep_other
    report = dict.fromkeys(REPORT, 0)
    counting = _counting(annotations, report)
    faces: list[PreparedFace] = []
    jobs: list[Job] = []
    for done, annotation in enumerate(counting, start=1):
        pictures = _pictures(frames, annotation.video, report)
        emotions = _usable(annotation, pictures, labels, report)
        for frame in choose_frames(emotions, per_video, seed, annotation.video):
            faces.append(_face(annotation, frame))
            jobs.append(Job(pictures[frame], out / faces[-1].path))
        if on_step is not None:
            on_step(done, len(counting), "videos read")
    if not faces:
        told = ", ".join(f"{what}: {count:,}" for what, count in report.items() if count)
        raise DataError(
            f"{', '.join(map(str, frames))}: no frame to take, "
            f"expected VIDEO/00001.jpg, say ({told})"
        )
    settings = {"per_video": per_video, "size": size, "seed": seed, "keep_other": keep_other}
    begin(out, settings, [*(folder.resolve() for folder in frames), *faces])
    report[CHOSEN] = len(faces)
    outcomes = cut_faces(how, jobs, processes, on_step)
    details = {"settings": settings, "report": report}
    return finish(out, PreparedSet("affwild2", labels, tuple(faces), details), outcomes)


def choose_frames(emotions: Mapping[int, str], count: int, seed: int, video: str) -> list[int]:
    """Frames of a video, spread over its time and over its classes, in their order.

    The class that has the fewest frames so far comes next, of equal ones the rarest. Of its
    frames that are no neighbours of a frame already taken, one is drawn that lies far from them:
    at least half as far as the farthest.

    Args:
        emotions: the class of every frame that may be taken.
        count: how many to take; fewer where all others are neighbours of these.
        seed: another one draws other frames.
        video: its name, so that videos draw differently.
    """
    frames = np.array(sorted(emotions), dtype=np.int64)
    names = np.array([emotions[frame] for frame in frames.tolist()])
    common = Counter(emotions.values())
    distance = np.full(len(frames), np.inf)  # from the nearest frame taken
    taken: dict[int, str] = {}
    while len(taken) < count and (free := distance >= LEAST_GAP).any():
        so_far = Counter(taken.values())
        names_left = sorted(set(names[free].tolist()))
        emotion = min(names_left, key=lambda name: (so_far[name], common[name]))
        free &= names == emotion
        far = frames[free & (distance >= distance[free].max() / 2)]
        frame = int(far[draw(seed, video, len(taken)) % len(far)])
        taken[frame] = emotion
        distance = np.minimum(distance, np.abs(frames - frame))
    return sorted(taken)


def _counting(folders: Sequence[Path], report: dict[str, int]) -> list[Annotation]:
    """The annotations that count, in the order of splits and videos.

    Of a video that stands on both sides, by its editions or by its two people, the training
    side is left out: the validation set stays what it is, and unseen.
    """
    editions = [edition for folder in folders for edition in read_editions(folder)]
    annotation_of: dict[str, Annotation] = {}
    for edition in editions:
        for annotation in sorted(edition, key=lambda one: one.split != "valid"):
            annotation_of.setdefault(annotation.video, annotation)
    validated = {one.group for one in annotation_of.values() if one.split == "valid"}
    counting = [
        one for one in annotation_of.values() if one.split == "valid" or one.group not in validated
    ]
    report[FILES] = sum(map(len, editions))
    report[OTHER_EDITION] = report[FILES] - len(annotation_of)
    report[OTHER_SIDE] = len(annotation_of) - len(counting)
    return sorted(counting, key=lambda one: (one.split, one.video))


def _pictures(folders: Sequence[Path], video: str, report: dict[str, int]) -> dict[int, Path]:
    """The frames of a video by their numbers; other files may stand beside them."""
    folder = next((each / video for each in folders if (each / video).is_dir()), None)
    if folder is None:
        report[NO_FOLDER] += 1
        return {}
    return {
        int(path.stem): path
        for path in sorted(folder.iterdir())
        if re.fullmatch("[0-9]+", path.stem) and path.suffix.lower() in PICTURE_SUFFIXES
    }


def _usable(
    annotation: Annotation,
    pictures: Mapping[int, Path],
    labels: Sequence[str],
    report: dict[str, int],
) -> dict[int, str]:
    """The class of every frame that may be taken."""
    usable = {}
    for frame, emotion in enumerate(annotation.emotions, start=1):
        if not emotion:
            report[IGNORED] += 1
        elif emotion not in labels:
            report[LEFT_OUT] += 1
        elif frame not in pictures:
            report[NO_PICTURE] += 1
        else:
            usable[frame] = emotion
    report[LABELS] += len(annotation.emotions)
    report[USABLE] += len(usable)
    report[NO_LABEL] += sum(not 1 <= frame <= len(annotation.emotions) for frame in pictures)
    return usable


def _face(annotation: Annotation, frame: int) -> PreparedFace:
    emotion = annotation.emotions[frame - 1]
    return PreparedFace(
        f"{annotation.split}/{emotion}/{annotation.video}-{frame:05}.png",
        annotation.split,
        emotion,
        annotation.group,
        annotation.video,
        frame,
        annotation.edition,
    )
