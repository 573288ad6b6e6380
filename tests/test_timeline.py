"""What was seen is added up by time, not by frames, and drawn."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import ConfigError
from mien.drawing import COLORS, emotion_colors
from mien.labels import EMOTIONS
from mien.results import TrackedFace
from mien.streaming import StreamFrame
from mien.timeline import Timeline


def face(track_id: int, emotion: str, uncertain: bool = False) -> TrackedFace:
    return {
        "box": [0, 0, 10, 10],
        "face_confidence": 0.9,
        "landmarks": None,
        "track_id": track_id,
        "emotion": emotion,
        "confidence": 1.0,
        "emotions": {label: float(label == emotion) for label in EMOTIONS},
        "uncertainty": 0.0,
        "candidates": [emotion],
        "face_likeness": 1.0,
        "uncertain": uncertain,
    }


def timeline(*frames: tuple[float, list[TrackedFace]]) -> Timeline:
    made = Timeline(EMOTIONS)
    for number, (time_s, faces) in enumerate(frames):
        made.add(StreamFrame(number, np.zeros((4, 4, 3), dtype=np.uint8), time_s, faces))
    return made


def test_a_frame_counts_for_as_long_as_it_is_shown() -> None:
    made = timeline(
        (0.0, [face(1, "anger")]),
        (3.0, [face(1, "fear", uncertain=True), face(2, "anger")]),
        (4.0, []),
        (9.0, [face(2, "neutral")]),
    )
    first, second = sorted(made.people(), key=lambda person: person.track_id)
    assert (first.first_s, first.last_s, first.seen_s) == (0.0, 3.0, 4.0)
    assert first.shares == {"anger": 0.75, "fear": 0.25}
    assert first.uncertain == 0.25
    assert (second.first_s, second.last_s, second.seen_s) == (3.0, 9.0, 6.0)
    assert list(second.shares) == ["neutral", "anger"]
    assert [person.track_id for person in made.people()] == [2, 1]
    assert (made.frames, made.frames_without_face, made.end_s) == (4, 1, 14.0)


def test_where_the_time_stands_still_every_frame_counts_alike(tmp_path: Path) -> None:
    faces = [face(1, "anger"), face(1, "anger"), face(1, "anger"), face(1, "fear", uncertain=True)]
    made = timeline(*((2.0, [one]) for one in faces))
    (person,) = made.people()
    assert (person.first_s, person.last_s, person.seen_s) == (2.0, 2.0, 0.0)
    assert person.shares == {"anger": 0.75, "fear": 0.25}
    assert person.uncertain == 0.25
    made.draw(tmp_path / "plot.png")


def test_emotions_may_come_in_another_order(tmp_path: Path) -> None:
    turned = face(1, "anger")
    turned["emotions"] = dict(reversed(turned["emotions"].items()))
    for name, one in (("plot", face(1, "anger")), ("turned", turned)):
        timeline((0.0, [one]), (1.0, [one])).draw(tmp_path / f"{name}.png")
    assert (tmp_path / "plot.png").read_bytes() == (tmp_path / "turned.png").read_bytes()


def test_what_is_no_frame_of_its_emotions_is_refused_and_not_counted() -> None:
    made = timeline((0.0, [face(1, "anger")]))
    other = face(1, "anger")
    other["emotions"] = {"calm": 0.25, "tense": 0.75}
    wanted = rf"a face has calm, tense, but the timeline {', '.join(EMOTIONS)}"
    with pytest.raises(ConfigError, match=wanted):
        made.add(StreamFrame(1, np.zeros((4, 4, 3), dtype=np.uint8), 5.0, [face(2, "fear"), other]))
    with pytest.raises(ConfigError, match="a dict came, expected a frame of 'stream'"):
        made.add(other)  # type: ignore[arg-type]
    assert [person.track_id for person in made.people()] == [1]
    assert (made.frames, made.end_s) == (1, 0.04)


def test_nothing_seen_is_nobody(tmp_path: Path) -> None:
    made = timeline((0.0, []), (0.04, []))
    assert made.people() == []
    made.draw(str(tmp_path / "new" / "plot.png"))
    with Image.open(tmp_path / "new" / "plot.png") as picture:
        assert picture.width > 800
    assert Timeline(EMOTIONS).end_s == 0.0


def column(picture: Image.Image, share: float, colors: list[str]) -> dict[str, int]:
    """How many pixels of each colour stand in a column of the picture."""
    pixels = np.asarray(picture.convert("RGB"))[:, round(share * picture.width)]
    wanted = {name: tuple(bytes.fromhex(COLORS[name][1:])) for name in colors}
    return {name: int((pixels == rgb).all(axis=1).sum()) for name, rgb in wanted.items()}


@pytest.mark.parametrize("count", [100, 10_000])
def test_the_picture_shows_who_was_there_when(tmp_path: Path, count: int) -> None:
    step_s = 10 / count
    frames = []
    for number in range(count):
        share = number / count
        faces = [face(1, "anger" if share < 0.5 else "happiness")]
        frames.append((number * step_s, faces if not 0.3 <= share < 0.4 else []))
    timeline(*frames).draw(tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        names = ["anger", "happiness"]
        early, gap, late = (column(picture, share, names) for share in (0.2, 0.35, 0.7))
    assert early["anger"] > 80
    assert early["happiness"] == 0
    assert gap == {"anger": 0, "happiness": 0}
    assert late["happiness"] > 80
    assert late["anger"] == 0


def test_whoever_is_seen_longest_comes_first_and_is_drawn(tmp_path: Path) -> None:
    frames = []
    for step in range(100):
        faces = [face(number, "anger") for number in range(2, 10)]
        frames.append((step / 10, [face(1, "disgust"), *faces] if 10 <= step < 40 else faces))
    made = timeline(*frames)
    assert [person.track_id for person in made.people()] == [*range(2, 10), 1]
    made.draw(tmp_path / "plot.png")  # there is room for eight
    with Image.open(tmp_path / "plot.png") as picture:
        assert column(picture, 0.25, ["disgust"]) == {"disgust": 0}
        assert column(picture, 0.25, ["anger"])["anger"] > 500


def test_every_uncertain_moment_is_hatched(tmp_path: Path) -> None:
    dark = []
    for uncertain in ((), (1, 3, 5), (1, 2, 3, 4, 5)):
        faces = [[face(1, "anger", uncertain=step in uncertain)] for step in range(6)]
        timeline(*enumerate(faces)).draw(tmp_path / "plot.png")
        with Image.open(tmp_path / "plot.png") as picture:
            dark.append(int((np.asarray(picture.convert("L")) < 60).sum()))
    assert dark[1] - dark[0] > 500
    assert 1.4 < (dark[2] - dark[0]) / (dark[1] - dark[0]) < 2


def test_the_picture_begins_where_the_stream_does(tmp_path: Path) -> None:
    timeline(*((3600 + step / 10, [face(1, "anger")]) for step in range(100))).draw(
        tmp_path / "plot.png"
    )
    with Image.open(tmp_path / "plot.png") as picture:
        assert all(column(picture, share, ["anger"])["anger"] > 80 for share in (0.2, 0.5, 0.7))


def test_labels_of_ones_own_have_colours_too() -> None:
    colors = emotion_colors(["calm", "anger", "tense"])
    assert colors["anger"] == COLORS["anger"]
    assert len(set(colors.values())) == 3
    assert list(emotion_colors(EMOTIONS).values()) == [COLORS[label] for label in EMOTIONS]
    assert len(emotion_colors([str(number) for number in range(30)])) == 30
