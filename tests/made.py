"""Made data: pictures that bear their class in their pattern, and votes for them."""

import csv
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.manifest import PreparedFace, PreparedSet, write_prepared
from mien.labels import EMOTIONS

SIDE = 48
CLASSES = 8
COUNTS = {"FER2013Train": 320, "FER2013Valid": 160, "FER2013Test": 80}


def made_face(label: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Noise with a bright disc, whose place on a circle tells the class."""
    face = generator.integers(60, 120, (SIDE, SIDE)).astype(np.uint8)
    angle = 2 * np.pi * label / CLASSES
    centre = SIDE / 2 + 14 * np.array([np.cos(angle), np.sin(angle)]) + generator.uniform(-2, 2, 2)
    return np.asarray(cv2.circle(face, centre.round().astype(int).tolist(), 6, 230, -1))


def made_votes(label: int, generator: np.random.Generator) -> list[int]:
    """Ten votes, most of them for the class."""
    votes = [0] * 10
    strays = int(generator.integers(0, 4))
    votes[label] = 10 - strays
    votes[int(generator.integers(0, 8))] += strays
    return votes


def write_ferplus(folder: Path, counts: dict[str, int] = COUNTS, seed: int = 0) -> None:
    """Write a data set of made faces in the folders of FER+."""
    generator = np.random.default_rng(seed)
    for split, count in counts.items():
        (folder / split).mkdir(parents=True)
        with (folder / split / "label.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            for number in range(count):
                label = number % CLASSES
                name = f"fer{number:07}.png"
                cv2.imwrite(str(folder / split / name), made_face(label, generator))
                writer.writerow([name, "(0, 0, 48, 48)", *made_votes(label, generator)])


def write_prepared_faces(
    folder: Path,
    counts: dict[str, int],
    labels: tuple[str, ...] = EMOTIONS,
    seed: int = 1,
    with_probabilities: bool = False,
) -> None:
    """Write made faces as a prepared-faces folder; no two of them look the same."""
    generator = np.random.default_rng(seed)
    faces = []
    for split, count in counts.items():
        for number in range(count):
            label = labels[number % len(labels)]
            place = EMOTIONS.index(label) if label in EMOTIONS else labels.index(label) % CLASSES
            path = f"{split}/{label}/{number}.png"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / path), distinct_face(place, generator))
            shares = tuple(0.7 * (one == label) + 0.3 / len(labels) for one in labels)
            faces.append(
                PreparedFace(
                    *(path, split, label, f"{split} {number}"),
                    probabilities=shares if with_probabilities else None,
                )
            )
    write_prepared(folder, PreparedSet("folder", labels, tuple(faces)))


def distinct_face(label: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """A made face on coarse patches of its own."""
    patches = generator.integers(0, 120, (12, 12)).astype(np.uint8)
    ground = cv2.resize(patches, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.where(made_face(label, generator) == 230, 230, ground), dtype=np.uint8)


def write_tables(
    folder: Path, rows: int = 60, seed: int = 0, training: int = 4
) -> tuple[Path, Path]:
    """Write made `fer2013.csv` and `fer2013new.csv`, and return their paths.

    So many rows are for training to one for validation and one for the test; every tenth row has
    no image name.
    """
    generator = np.random.default_rng(seed)
    usages = ["Training"] * training + ["PublicTest", "PrivateTest"]
    fer2013, ferplus = folder / "fer2013.csv", folder / "fer2013new.csv"
    with fer2013.open("w", newline="") as pixels, ferplus.open("w", newline="") as votes:
        pixels.write("emotion,pixels,Usage\n")
        votes.write(
            "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
            "unknown,NF\n"
        )
        for number in range(rows):
            usage, label = usages[number % len(usages)], number % CLASSES
            face = made_face(label, generator).flatten().tolist()
            name = "" if number % 10 == 9 else f"fer{number:07}.png"
            counts = made_votes(label, generator)
            pixels.write(f"{label},{' '.join(map(str, face))},{usage}\n")
            votes.write(f"{usage},{name},{','.join(map(str, counts))}\n")
    return fer2013, ferplus


def write_video(path: Path, frames: list[NDArray[np.uint8]], times_ms: list[int]) -> None:
    """A file with the times that are asked for."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for image, time_ms in zip(frames, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_sound(
    path: Path, seconds: float, codec: str, rate: int = 44_100, layout: str = "mono"
) -> None:
    """A file with a tone and nothing to see."""
    ticks = np.arange(int(seconds * rate))
    tone = (8000 * np.sin(2 * np.pi * 440 * ticks / rate)).astype(np.int16)[None]
    channels = 2 if layout == "stereo" else 1
    tone = np.repeat(tone, channels, axis=1)  # channels lie side by side
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        for start in range(0, len(ticks), 1024):
            part = np.ascontiguousarray(tone[:, channels * start : channels * (start + 1024)])
            frame = av.AudioFrame.from_ndarray(part, "s16", layout)
            frame.rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
