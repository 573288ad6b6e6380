import csv
import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import BarContainer

from mien.classification import Classification
from mien.errors import DataError
from mien.evaluation.figures import classes_figure
from mien.evaluation.metrics import Share, score
from mien.evaluation.report import (
    UNSEEN_ACCURACY,
    certainty_rows,
    class_rows,
    estimate,
    percent,
    report_page,
    robustness_rows,
    summary_rows,
    write_report,
)
from mien.evaluation.robustness import CHANGES, ChangeScores
from mien.evaluation.validation import Validation, validate
from tests.evaluation.bright_model import LABELS, made_model, write_split


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_split(
        folder / "FER2013Test",
        [
            ("a.png", 110, {"happiness": 8, "neutral": 2}),  # right
            ("b.png", 90, {"neutral": 10}),  # right
            ("c.png", 104, {"neutral": 7, "fear": 3}),  # wrong
            ("d.png", 104, {"fear": 6, "neutral": 4}),  # a class that the model does not know
            ("e.png", 104, {"happiness": 5, "neutral": 5}),  # no majority
            ("f.png", 104, {"NF": 10}),
        ],
    )
    return folder


@pytest.fixture(scope="module")
def result(data_dir: Path) -> Validation:
    return validate(made_model(), data_dir, "test")


def test_faces_with_a_majority_the_model_knows_are_scored(result: Validation) -> None:
    assert result.scored.tolist() == [True, True, True, False, False, False]
    assert result.scores.confusion == ((1, 0), (1, 1))
    assert result.scores.accuracy.value == pytest.approx(2 / 3)
    assert result.left_out == 1


def test_what_is_said_of_every_face_is_kept(result: Validation) -> None:
    assert result.names == ("a.png", "b.png", "c.png", "d.png", "e.png", "f.png")
    assert result.majority == ("happiness", "neutral", "neutral", "fear", None, None)
    assert result.outputs.logits[:, 0].tolist() == [10, -10, 4, 4, 4, 4]
    assert result.face_likeness.tolist() == [0.5] * 6


def test_ambiguity_is_between_faces_with_and_without_a_majority(result: Validation) -> None:
    # Logits of 4, 4 without a majority; of 10, -10, 4 with one: the last one ties.
    assert result.certainty.ambiguity_auroc == pytest.approx((1 + 1 + 0.5) / 3)


def test_robustness_is_measured_where_it_is_asked_for(data_dir: Path, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    result = validate(made_model(), data_dir, "test", True, lambda *steps: done.append(steps))
    assert result.robustness is not None
    assert done == [(place + 1, len(CHANGES)) for place in range(len(CHANGES))]
    # By 40 % darker, the faces of 110 and 104 are below the 100 that make happiness.
    darker = next(one for one in result.robustness if one.scores.change == "brightness -40 %")
    assert darker.scores.accuracy.value == pytest.approx(2 / 3)
    assert darker.outputs.logits[:, 0].tolist() == [66 - 100, 54 - 100, 62 - 100]
    write_report(tmp_path, result)
    rows = (tmp_path / "robustness.csv").read_text().splitlines()
    assert rows[0] == "change,name,label,happiness,neutral,face_likeness"
    assert "brightness -40 %,c.png,neutral,-38,0,0.5" in rows
    assert len(rows) == 1 + 3 * len(CHANGES)
    (row,) = [
        row for row in robustness_rows(result.change_scores) if row[0] == darker.scores.change
    ]
    assert row[1] == "66.7%"
    assert row[2] == "0.0 points"
    assert "<h2>Changes of the picture</h2>" in report_page(result)
    stored = json.loads((tmp_path / "scores.json").read_text())["robustness"]
    assert [one["change"] for one in stored] == list(CHANGES)


def test_scores_are_of_calibrated_probabilities(result: Validation) -> None:
    true = 1 / (1 + np.exp([-5, -5, 2]))  # the logits over the temperature of 2
    assert result.scores.negative_log_likelihood == pytest.approx(-np.log(true).mean())


def test_divergence_is_over_all_faces_led_by_a_known_emotion(result: Validation) -> None:
    happiness = 1 / (1 + np.exp([-5, 5, -2, -2]))  # a, b, c, e
    known = np.array([0.8, 0, 0, 0.5])  # c has seven votes for neutral, three for none of the two
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(known * np.log(known / happiness)) + np.nan_to_num(
            (1 - known) * np.log((1 - known) / (1 - happiness))
        )
    assert result.divergence == pytest.approx(parts.mean())


def test_duplicates_are_not_measured_without_the_training_split(result: Validation) -> None:
    assert result.unseen_accuracy is None


def test_faces_that_stand_in_training_are_left_out_of_the_second_accuracy(tmp_path: Path) -> None:
    happy: dict[str, int] = {"happiness": 10}
    write_split(tmp_path / "FER2013Train", [("t.png", 120, happy), ("u.png", 121, happy)])
    write_split(
        tmp_path / "FER2013Valid",
        [("a.png", 120, happy), ("b.png", 130, happy), ("c.png", 90, happy), ("d.png", 80, happy)],
    )
    result = validate(made_model(), tmp_path, "valid")
    assert result.scores.accuracy.value == 2 / 4
    assert result.unseen_accuracy is not None
    assert result.unseen_accuracy.value == 1 / 3
    assert result.unseen_accuracy.count == 3


def test_a_split_without_a_face_that_counts_is_refused(tmp_path: Path) -> None:
    write_split(tmp_path / "FER2013Test", [("a.png", 90, {"fear": 10}), ("b.png", 90, {"NF": 9})])
    with pytest.raises(DataError, match="none of 2 faces has a majority for one of happiness, neu"):
        validate(made_model(), tmp_path, "test")


def test_a_class_that_the_data_set_does_not_have_may_be_answered_and_is_wrong(
    data_dir: Path,
) -> None:
    result = validate(made_model(("joy", "neutral")), data_dir, "test")
    assert result.scored.tolist() == [False, True, True, False, False, False]
    assert result.scores.confusion == ((0, 0), (1, 1))
    assert result.left_out == 2


@pytest.fixture(scope="module")
def page(result: Validation) -> str:
    return report_page(result)


def test_the_page_has_its_four_pictures_inside(page: str) -> None:
    sources = re.findall(r'<img src="(.*?)"', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in sources)


def test_the_page_needs_no_other_file(page: str) -> None:
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)


def test_the_page_says_what_was_measured_and_by_which_votes(page: str) -> None:
    assert "<h1>models/&lt;mine&gt;.onnx on test</h1>" in page
    assert "Votes: votes of no published edition." in page
    assert "<td>Accuracy</td><td>66.67% (20.8% to 93.9%, 3 faces)</td>" in page
    assert "<td>Left out, of classes the model does not know</td><td>1 faces</td>" in page
    assert re.search(
        r"<td>neutral</td><td>100.0% \([^<]*</td><td>50.0% \([^<]*</td><td>66.7% \(", page
    )


def test_the_summary_is_silent_on_what_was_not_left_out(tmp_path: Path) -> None:
    write_split(tmp_path / "FER2013Test", [("a.png", 90, {"neutral": 10})])
    rows = dict(summary_rows(validate(made_model(), tmp_path, "test")))
    assert rows[UNSEEN_ACCURACY] == "not measured"
    assert not any(name.startswith("Left out") for name in rows)


def test_macro_f1_without_contempt_is_said_where_there_is_contempt(data_dir: Path) -> None:
    for labels, said in ((LABELS, False), (("contempt", "neutral"), True)):
        rows = dict(summary_rows(validate(made_model(labels), data_dir, "test")))
        assert ("Macro F1 without contempt" in rows) == said


def test_every_class_has_a_row(result: Validation) -> None:
    assert [row[0] for row in class_rows(result.scores.classes)] == list(LABELS)
    assert [row[1].split()[0] for row in class_rows(result.scores.classes)] == ["50.0%", "100.0%"]


def test_certainty_is_said_in_words(result: Validation) -> None:
    rows = dict(certainty_rows(result.certainty))
    assert rows["Candidates hold the label"].startswith("100.00% (")
    assert rows["... of neutral"].endswith("2 faces)")
    assert rows["Candidates of a face, mean"] == "1.33"  # c has two: .88 and .12
    # At 85 % of three faces, all are kept.
    assert rows["Accuracy without the 15 % most uncertain"].startswith("66.67% (")
    assert rows["Marked as uncertain"].startswith("0.00% (")
    assert (
        rows["Area under the ROC curve of uncertainty, faces without a majority for an emotion"]
        == "0.833"
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Share(0.875, 0.8642, 0.8851, 3153), "87.50% (86.4% to 88.5%, 3,153 faces)"),
        (Share(None, 0, 1, 0), "not measured"),
        (None, "not measured"),
    ],
)
def test_shares_are_said_with_their_interval(share: Share | None, words: str) -> None:
    assert percent(share) == words


def test_values_are_said_with_their_interval_in_short() -> None:
    assert estimate(Share(0.875, 0.8642, 0.8851, 3153)) == "87.5% (86.4-88.5%)"
    assert estimate(Share(None, 0, 1, 0)) == "none"


def test_what_a_change_costs_is_said_in_points() -> None:
    some, none = Share(0.75, 0.5, 0.9, 8), Share(None, 0, 1, 0)
    (row,) = robustness_rows([ChangeScores("torn", True, some, 0.1234, some, none, None)])
    assert row == ("torn", "75.0%", "12.3 points", "75.0%", "none")


def test_the_report_is_a_page_json_and_all_logits(
    result: Validation, page: str, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "report"
    write_report(folder, result)
    write_report(folder, result)  # over the first one
    assert {path.name for path in folder.iterdir()} == {"report.html", "scores.json", "logits.csv"}
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    scores = json.loads((folder / "scores.json").read_text())
    assert scores == json.loads(json.dumps(result.to_dict()))
    assert scores["votes"] == "votes of no published edition"
    assert scores["confusion"] == [[1, 0], [1, 1]]
    assert (folder / "logits.csv").read_text().splitlines() == [
        "name,label,happiness,neutral,face_likeness",
        "a.png,happiness,10,0,0.5",
        "b.png,neutral,-10,0,0.5",
        "c.png,neutral,4,0,0.5",
        "d.png,fear,4,0,0.5",
        "e.png,,4,0,0.5",
        "f.png,,4,0,0.5",
    ]


def test_a_report_leaves_nothing_of_an_earlier_one_with_more(
    data_dir: Path, result: Validation, tmp_path: Path
) -> None:
    write_report(tmp_path, validate(made_model(), data_dir, "test", True))
    assert (tmp_path / "robustness.csv").exists()
    write_report(tmp_path, result)
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html",
        "scores.json",
        "logits.csv",
    }


def test_a_report_that_can_not_be_written_whole_leaves_the_earlier_one(
    result: Validation, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("earlier")
    (tmp_path / "scores.json").write_text("earlier")
    (tmp_path / "logits.csv").mkdir()
    with pytest.raises(OSError, match=r"logits\.csv"):
        write_report(tmp_path, result)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.html", "scores.json", "logits.csv"}
    for name in ("report.html", "scores.json"):
        assert (tmp_path / name).read_text() == "earlier"


def test_a_name_with_a_carriage_return_comes_back(result: Validation, tmp_path: Path) -> None:
    names = ("a\rb.png", *result.names[1:])
    write_report(tmp_path / "report", replace(result, names=names))
    with (tmp_path / "report/logits.csv").open(newline="") as file:
        assert tuple(row["name"] for row in csv.DictReader(file)) == names


def test_classes_without_faces_have_no_bars() -> None:
    scores = score(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, 1]), ["a", "b"])
    (axes,) = classes_figure(scores).axes
    _, recall, f1 = (bars for bars in axes.containers if isinstance(bars, BarContainer))
    for bars in (recall, f1):
        assert bars.errorbar is not None
        _, _, (whiskers,) = bars.errorbar.lines
        absent, present = whiskers.get_segments()
        assert not np.isfinite(absent).any()
        assert np.isfinite(present).all()
        assert len(present) == 2


@pytest.mark.parametrize("count", [8, 12, 16])
def test_names_of_many_classes_keep_clear_of_each_other(count: int) -> None:
    probability = np.random.default_rng(0).dirichlet(np.ones(count), 200)
    names = [f"disappointment {place}" for place in range(count)]
    figure = classes_figure(score(probability, np.arange(200) % count, names))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    texts = axes.get_xticklabels()
    corners = axes.transData.transform([(place, 0) for place in range(count)])
    for one, (left, right) in zip(
        texts, zip(corners[:-1, 0], corners[1:, 0], strict=True), strict=False
    ):
        line_height = 1.2 * float(one.get_fontsize()) / 72 * figure.dpi
        assert (right - left) * np.sin(np.radians(one.get_rotation())) > line_height


def test_stored_logits_are_exactly_those_of_the_model(result: Validation, tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(0, 5, (6, 2)).astype(np.float32)
    outputs = Classification(logits, result.outputs.embedding)
    write_report(tmp_path, dataclasses.replace(result, outputs=outputs))
    with (tmp_path / "logits.csv").open(newline="") as file:
        rows = [[float(row[name]) for name in LABELS] for row in csv.DictReader(file)]
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), logits)
