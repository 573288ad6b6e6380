"""Two people who cross before a camera, by real detection."""

from pathlib import Path

import pytest

from benchmarks.crossing import Scene, judged
from mien import EmotionRecognition
from mien.images import read_image


@pytest.fixture(scope="module")
def scene(shared: Path, recognition: EmotionRecognition) -> Scene:
    return Scene(read_image(shared / "media" / "two_people.jpg"), recognition)


@pytest.mark.parametrize(("seed", "detect_every"), [(0, 1), (12, 1), (15, 1), (5, 5)])
def test_two_people_who_cross_keep_their_numbers(
    scene: Scene, recognition: EmotionRecognition, seed: int, detect_every: int
) -> None:
    verdict = judged(scene, seed, recognition, detect_every)
    assert verdict.is_kept
    assert verdict.hidden > 0  # else nobody was behind anybody


def test_another_face_in_the_same_place_a_second_later_is_somebody_else(
    scene: Scene, recognition: EmotionRecognition
) -> None:
    assert _numbers(scene, recognition, then=1) == ([1], [2])


def test_a_face_that_is_back_after_a_second_keeps_its_number(
    scene: Scene, recognition: EmotionRecognition
) -> None:
    assert _numbers(scene, recognition, then=0) == ([1], [1])


def _numbers(
    scene: Scene, recognition: EmotionRecognition, then: int
) -> tuple[list[int], list[int]]:
    """The numbers of a face, and of one that comes a second after it has left."""
    frames = list(scene.stay(0, count=6)) + [scene.empty()] * 13 + list(scene.stay(then, count=4))
    timed = [(frame, place / 12.5) for place, frame in enumerate(frames)]
    seen = [
        [face["track_id"] for face in frame.faces]
        for frame in recognition.stream(timed, color="RGB")
    ]
    assert not any(seen[6:19])
    return sorted({n for one in seen[:6] for n in one}), sorted(
        {n for one in seen[19:] for n in one}
    )
