import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.comparison.accuracy import SPLITS, right_answers
from benchmarks.comparison.contestants import EMOTION_OF, OURS, PEERS, Contestant, emotion_of
from benchmarks.comparison.environments import PeerError
from benchmarks.comparison.figures import (
    Accuracy,
    Figures,
    Footprint,
    FrameTime,
    StageTimes,
    Throughput,
)
from benchmarks.comparison.frames import FRAMES
from benchmarks.comparison.page import page
from benchmarks.comparison.picture import picture
from benchmarks.comparison.processes import Process
from benchmarks.comparison.stages import stage_times
from benchmarks.comparison.throughput import BATCHES
from benchmarks.peers.worker import Image, answer
from mien import EmotionRecognition
from mien.evaluation.metrics import Share
from mien.labels import EMOTIONS

SLOW = PEERS[2]


def made_figures() -> Figures:
    milliseconds = {OURS[0]: 10.0, OURS[1]: 15.0, PEERS[0]: 80.0, SLOW: 95.0}
    return Figures(
        date="2026-01-02",
        processor="Abacus",
        cores=2,
        python="3.11",
        load=0.2,
        frame_times=tuple(
            FrameTime(one.name, frame, spent, 1, 5)
            for frame in FRAMES
            for one, spent in milliseconds.items()
        ),
        footprints=tuple(Footprint(one.name, "1.0", 1234.5, 400.0) for one in milliseconds),
        accuracies=(
            Accuracy("mien", "valid", Share(0.875, 0.86, 0.89, 3199)),
            Accuracy("fer", "valid", Share(0.675, 0.66, 0.69, 3199)),
            Accuracy("fer", "test", Share(0.666, 0.65, 0.68, 3153)),
        ),
        stages=tuple(StageTimes(1, frame, 7.0, 1.0, 1.5, 0.5) for frame in FRAMES),
        throughputs=tuple(Throughput(1, batch, 1000.0) for batch in BATCHES),
        failures={"fer with Haar": "No module named 'cascade'"},
    )


def test_the_page_gives_ratios_scores_and_reasons() -> None:
    text = page(made_figures())
    assert "- 8.0 times as fast as fer with MTCNN\n- 9.5 times as fast as facial-emotion-" in text
    assert f"| {SLOW.name} | 95.0 | 9.5 | 1 of 5 | 95.0 | 9.5 | 1 of 5 |" in text
    assert "| mien | 87.5 % | 86.0 to 89.0 |" in text
    assert "On Test the same run gives fer 66.6 %." in text
    assert "fer with Haar did not run: No module named 'cascade'" in text
    assert "| fer with MTCNN, 1.0 | 1,234 | 400 |" in text
    assert "$" not in text


def test_a_busy_machine_is_owned_up_to() -> None:
    assert "busy" not in page(made_figures())
    assert "a load of 3.0" in page(dataclasses.replace(made_figures(), load=3.0))


def test_a_page_without_peers_and_faces_says_so() -> None:
    made = made_figures()
    alone = dataclasses.replace(
        made,
        frame_times=tuple(one for one in made.frame_times if one.name == "mien"),
        footprints=(Footprint("mien", "1.0", None, None),),
        accuracies=(),
        failures={},
    )
    text = page(alone)
    assert "On a frame with one face mien takes 10.0 ms." in text
    assert "was given no FER+" in text
    assert "| mien, 1.0 | not measured | not measured |" in text
    assert len(picture(alone).axes) == 6


def test_the_picture_shows_all() -> None:
    figure = picture(made_figures())
    figure.draw_without_rendering()
    assert len(figure.axes) == 6


@pytest.mark.parametrize(
    ("name", "emotion"),
    [("Happy", "happiness"), ("sad", "sadness"), ("Angry", "anger"), ("contempt", "contempt")],
)
def test_names_become_emotions(name: str, emotion: str) -> None:
    assert emotion_of(name) == emotion


def test_peers_reach_every_emotion_but_contempt() -> None:
    assert set(EMOTION_OF.values()) == set(EMOTIONS) - {"contempt"}
    with pytest.raises(KeyError):
        emotion_of("calm")


def test_contempt_is_wrong_for_who_lacks_it() -> None:
    labels = np.array([EMOTIONS.index(name) for name in ("happiness", "contempt", "anger")])
    assert right_answers(["Happy", "Disgust", "Angry"], labels).tolist() == [True, False, True]


def test_mien_is_not_run_on_the_test_set() -> None:
    assert "mien" not in SPLITS["test"]


@pytest.mark.parametrize("name", FRAMES)
def test_frames_show_their_faces(name: str, recognition: EmotionRecognition) -> None:
    frame = FRAMES[name].make()
    assert frame.shape == (480, 640, 3)
    assert len(recognition.run(frame)) == FRAMES[name].faces


def test_stages_are_all_seen() -> None:
    for one in stage_times(threads=1, rounds=1):
        assert min(one.detection, one.alignment, one.classification, one.rest) > 0


class Drawing:
    """A package that draws on the frame."""

    def run(self, frame: Image) -> int:
        assert frame.max() == 0
        frame[:] = 255
        return 2

    def classify(self, faces: Image) -> Sequence[str]:
        return ["Happy"] * len(faces)


def test_a_worker_times_and_classifies(tmp_path: Path) -> None:
    np.save(tmp_path / "frame.npy", np.zeros((4, 4, 3), np.uint8))
    request = {"do": "time", "frame": str(tmp_path / "frame.npy"), "calls": 3}
    given = answer(Drawing(), request)
    assert (len(given["milliseconds"]), given["faces"]) == (3, 2)
    request = {"do": "classify", "faces": str(tmp_path / "frame.npy")}
    assert answer(Drawing(), request) == {"emotions": ["Happy"] * 4}


def test_who_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="No module named"):
        Process(Contestant("none", "no-such"), Path(sys.executable), tmp_path / "log")
