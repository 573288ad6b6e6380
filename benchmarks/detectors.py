"""RetinaFace and MTCNN beside each other; needs `pip install 'mien[mtcnn]'`.

On pictures: how many faces each finds, and the median time of a frame, in turns, on one thread and
in processor time, which a busy machine changes less. With `--data-dir` also on faces of FER+'s
validation set, enlarged fourfold: how far MTCNN's boxes and landmarks lie from RetinaFace's, in
parts of the size of its box, and what the model answers for the cuts of each.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from mien import DetectedFace, EmotionRecognition
from mien.datasets.ferplus import read_split
from mien.datasets.votes import strict_majority
from mien.detection import Detector, RetinaFace
from mien.images import read_image
from mien.labels import EMOTIONS
from mien.mtcnn import MTCNN

Image = NDArray[np.uint8]

ENLARGEMENT = 4
#: Grey around a face, in parts of its picture's side.
SURROUNDINGS = {"with grey around": 0.5, "to the border": 0.0}


class Pair(NamedTuple):
    """A face that both detectors have found: its emotion, the answers, and `compared`."""

    emotion: str
    with_retinaface: str
    with_mtcnn: str
    scale: float
    right: float
    down: float
    landmarks: float
    turn: float


class Keeping:
    """A detector that keeps what it has found last."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.found: list[DetectedFace] = []

    def detect(self, frame_rgb: Image) -> list[DetectedFace]:
        """As the detector does."""
        self.found = self._detector.detect(frame_rgb)
        return self.found


def main() -> None:
    """Print the tables."""
    options = parse()
    torch.set_num_threads(1)
    detectors = RetinaFace(options.min_face_size, threads=1), MTCNN(options.min_face_size)
    print_pictures(detectors, options.pictures, options.rounds)
    if options.data_dir is not None:
        for name, margin in SURROUNDINGS.items():
            print_faces(name, margin, detectors, options.data_dir, options.count)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument("--data-dir", type=Path, help="the folder `mien prepare ferplus` made")
    parser.add_argument("--count", type=int, default=500, help="faces of the validation set")
    parser.add_argument("--rounds", type=int, default=5, help="timed turns a picture")
    parser.add_argument("--min-face-size", type=float, help="for both; each one's own by default")
    return parser.parse_args()


def print_pictures(detectors: tuple[Detector, Detector], paths: list[Path], rounds: int) -> None:
    """A row of a Markdown table for every picture."""
    print("| picture | RetinaFace, faces | MTCNN, faces | RetinaFace, ms | MTCNN, ms | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for path in paths:
        picture = read_image(path)
        height, width = picture.shape[:2]
        one, other = (len(detector.detect(picture)) for detector in detectors)
        first, second = medians_ms(detectors, picture, rounds)
        times = f"{first:.0f}", f"{second:.0f}", f"{second / first:.1f}"
        row = f"{path.name}, {width}x{height}", one, other, *times
        print("|", " | ".join(map(str, row)), "|", flush=True)


def medians_ms(
    detectors: tuple[Detector, Detector], picture: Image, rounds: int
) -> tuple[float, float]:
    """The time of a detection by each, in turns."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for detector, spent in zip(detectors, times, strict=True):
            began = time.process_time()
            detector.detect(picture)
            spent.append(1000 * (time.process_time() - began))
    return statistics.median(times[0]), statistics.median(times[1])


def print_faces(
    name: str, margin: float, detectors: tuple[Detector, Detector], data_dir: Path, count: int
) -> None:
    """What both find in faces of the validation set that have a majority, and the answers."""
    keeping = [Keeping(detector) for detector in detectors]
    recognitions = [EmotionRecognition(detector=detector, threads=1) for detector in keeping]
    faces = read_split(data_dir, "valid")
    labels, kept = strict_majority(faces.votes)
    rows = np.flatnonzero(kept)
    chosen = np.random.default_rng(0).choice(rows, min(count, len(rows)), replace=False)
    seen, pairs = [0, 0], []
    for row in track(chosen, description=f"Faces {name}", transient=True):
        frame = enlarged(faces.images[row], margin)
        answers = [recognition.run(frame) for recognition in recognitions]
        seen = [number + bool(found) for number, found in zip(seen, answers, strict=True)]
        if all(answers):
            one, other = (found[0]["emotion"] for found in answers)
            retinaface, mtcnn = (largest_of(detector.found) for detector in keeping)
            pairs.append(Pair(EMOTIONS[labels[row]], one, other, *compared(retinaface, mtcnn)))
    print(f"{name}: of {count} faces RetinaFace finds {seen[0]}, MTCNN {seen[1]}")
    print_pairs(pairs)


def print_pairs(pairs: list[Pair]) -> None:
    """The figures over the faces that both have found."""
    truth, one, other = (np.array([pair[column] for pair in pairs]) for column in range(3))
    scale, right, down, landmarks, turn = np.array([pair[3:] for pair in pairs]).T
    print(f"  of the {len(pairs)} that both find")
    print(f"    right with RetinaFace's cut    {100 * (one == truth).mean():6.1f} %")
    print(f"    right with MTCNN's cut         {100 * (other == truth).mean():6.1f} %")
    print(f"    both answers the same          {100 * (one == other).mean():6.1f} %")
    print(f"    scale, median                  {np.median(scale):6.3f}")
    print(f"    shift right and down, medians  {np.median(right):6.3f} {np.median(down):6.3f}")
    print(f"    landmarks' distance, median    {np.median(landmarks):6.3f}")
    print(f"    turn, standard deviation       {np.degrees(turn.std()):6.1f} degrees")


def enlarged(face: Image, margin: float) -> Image:
    """A frame (H, W, 3) with a face (S, S), fourfold, and grey around it."""
    side = ENLARGEMENT * len(face)
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    padded = np.pad(large, round(margin * side), constant_values=128)
    return np.dstack([padded] * 3).astype(np.uint8)


def largest_of(faces: list[DetectedFace]) -> DetectedFace:
    """The face that comes first in the answers."""
    return max(faces, key=lambda face: face.box[2] * face.box[3])


def compared(
    retinaface: DetectedFace, mtcnn: DetectedFace
) -> tuple[float, float, float, float, float]:
    """MTCNN's scale, shift right and down, distance of landmarks, and turn in radians.

    Lengths are in parts of the size of RetinaFace's box.
    """
    (x, y, width, height), (u, v, w, h) = retinaface.box, mtcnn.box
    size = np.sqrt(width * height)
    right, down = (u + w / 2 - x - width / 2) / size, (v + h / 2 - y - height / 2) / size
    points, others = np.asarray(retinaface.landmarks), np.asarray(mtcnn.landmarks)
    distance = np.hypot(*(points - others).T).mean() / size
    eyes, other_eyes = points[1] - points[0], others[1] - others[0]
    turn = np.angle(complex(*other_eyes) / complex(*eyes))
    return np.sqrt(w * h) / size, right, down, distance, float(turn)


if __name__ == "__main__":
    main()
