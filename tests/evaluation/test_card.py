import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.datasets.vote_table import REPOSITORY_EDITION, TABLE_EDITION
from mien.errors import DataError
from mien.evaluation.card import write_card
from mien.evaluation.metrics import score, share
from mien.evaluation.report import write_report
from mien.evaluation.stored_report import StoredReport, read_report
from mien.evaluation.validation import validate
from tests.evaluation.bright_model import made_model, write_split

PROVENANCE: dict[str, Any] = {
    "mien": "1.2.3",
    "commit": "abc",
    "date": "2026-11-22",
    "data": {
        "train": {"faces": 12345, "votes": "first votes"},
        "valid": {"faces": 678, "votes": "second votes"},
    },
    "steps": 10,
    "epochs_done": 2,
    "settings": {
        "labels": ["happiness", "neutral"],
        "network": "residual_s",
        "learning_rate": 0.1,
        "epochs": 2,
        "teacher": ["folder/wise.ckpt"],
        "initial_weights": "",
    },
}
FACES = [
    ("a.png", 110, {"happiness": 8, "neutral": 2}),
    ("b.png", 90, {"neutral": 10}),
    ("c.png", 104, {"neutral": 7, "fear": 3}),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports on both splits, in `test` and `valid`; the first has cuts without a face."""
    folder = tmp_path_factory.mktemp("reports")
    write_split(folder / "FER2013Test", FACES)
    write_split(folder / "FER2013Valid", FACES[:2])
    model = made_model()
    model = replace(model, metadata=replace(model.metadata, provenance=PROVENANCE))
    write_report(folder / "test", validate(model, folder, "test", robustness=True))
    write_report(folder / "valid", validate(model, folder, "valid"))
    found = {"uncertain": {"value": 0.75, "low": 0.3, "high": 0.95, "count": 4}}
    kind = {"kind": "a teapot", "likeness_auroc": 0.5, **found}
    (folder / "test" / "not_faces.json").write_text(
        json.dumps({"model": model.source, "likeness_auroc": 0.987, "kinds": [kind], **found})
    )
    return folder


def card(reports: Path, out: Path, **options: Any) -> str:
    write_card(out, read_report(reports / "test"), **options)
    return out.read_text(encoding="utf-8")


def changed_report(reports: Path, tmp_path: Path, changed: dict[str, Any]) -> StoredReport:
    """The report on `valid`, with some of what is stored replaced, of the provenance in part."""
    values = json.loads((reports / "valid" / "scores.json").read_text())
    provenance = values["provenance"] | changed.get("provenance", {})
    (tmp_path / "scores.json").write_text(
        json.dumps(values | changed | {"provenance": provenance}), encoding="utf-8"
    )
    return read_report(tmp_path)


@pytest.fixture(scope="module")
def text(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    other = read_report(reports / "valid")
    out = tmp_path_factory.mktemp("card") / "my-card.md"
    return card(reports, out, other=other, cost="one afternoon")


def test_what_was_stored_comes_back(reports: Path) -> None:
    stored = read_report(reports / "test")
    assert stored.scores.confusion == ((1, 0), (1, 1))
    assert stored.scores.classes[0].label == "happiness"
    assert stored.certainty.candidates_hold.count == 3
    assert stored.changes[0].accuracy.count == 3
    assert read_report(reports / "valid").changes == ()
    assert read_report(reports / "valid").not_faces is None


def test_the_pictures_stand_where_the_card_looks_for_them(reports: Path, tmp_path: Path) -> None:
    text = card(reports, tmp_path / "docs" / "my-card.md")
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", text)
    assert len(pictures) == 3
    for picture in pictures:
        assert (tmp_path / "docs" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_card_says_how_good_the_model_is(text: str) -> None:
    assert "# Model card: <mine>.onnx" in text
    assert "- The candidates hold the label in 100.00%" in text
    assert "- Between faces without a majority for an emotion and faces with one, the area" in text
    assert "| Accuracy | 66.67% (20.8% to 93.9%, 3 faces) |" in text
    assert re.search(r"\| Accuracy without .* split of these data .* \| not measured \|", text)
    assert re.search(r"\| happiness \| 50.0% \(.*?\) \| 100.0% \(.*?\) \| 66.7% .*? \| 1 \|", text)
    assert re.search(r"\| brightness -40 % \| 66.7% .*? \| 0.0 \| 0.0% \|", text)


def test_rare_classes_are_counted_over_both_splits(text: str) -> None:
    assert "The rarest classes over the test and the valid split together:" in text
    assert re.search(r"\| happiness \| 66.7% .*? \| 100.0% .*? \| 80.0% .*? \| 2 \|", text)


def test_cuts_without_a_face_stand_with_halves_of_faces(text: str) -> None:
    assert "Of cuts without a face, 75.00% (30.0% to 95.0%, 4 cuts) come out as uncertain" in text
    assert "between faces and these cuts is 0.987" in text
    assert "| a teapot | 75.0% | 0.500 |" in text
    assert "| 12 pixels | 0.0% | 0.500 |" in text


def test_the_card_says_where_the_model_comes_from(text: str) -> None:
    assert "By these very faces" not in text
    assert "- Training split: 12,345 faces, by the first votes" in text
    assert "- Made by mien 1.2.3, source at commit abc, on 2026-11-22" in text
    assert "- Teachers: wise.ckpt" in text
    assert "- Weights it began with: random" in text
    assert "- Cost of the training: one afternoon" in text


def settings_of(card: Path) -> dict[str, Any]:
    text = card.read_text(encoding="utf-8")
    (settings,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return tomllib.loads(settings)


def test_the_settings_are_toml(reports: Path, tmp_path: Path) -> None:
    write_card(tmp_path / "card.md", read_report(reports / "valid"))
    assert settings_of(tmp_path / "card.md") == PROVENANCE["settings"]


def test_settings_that_come_to_nothing_are_left_out(reports: Path, tmp_path: Path) -> None:
    kept = {"labels": ["calm", "😀"], "teacher": [], "initial_weights": ""}
    for teacher, view, left in (
        ([], "whole", {}),
        (["a.ckpt"], "same", {"teacher_view": "same"}),
        (["a.ckpt"], "whole", {"teacher_view": "whole", "teacher_whole_share": 1.0}),
    ):
        teaching = {"teacher_view": view, "teacher_whole_share": 1.0}
        settings = kept | {"teacher": teacher} | teaching
        report = changed_report(reports, tmp_path, {"provenance": {"settings": settings}})
        write_card(tmp_path / "card.md", report)
        assert settings_of(tmp_path / "card.md") == kept | {"teacher": teacher} | left


@pytest.mark.parametrize(
    ("changed", "is_fitted_on"),
    [
        ({"faces": 678, "votes": "second votes"}, True),
        ({"faces": 70, "votes": "third votes"}, True),
        ({"faces": 679, "votes": "second votes"}, False),
        ({"faces": 678, "votes": "first votes"}, False),
        ({"faces": 678, "votes": "second votes", "split": "test"}, False),
    ],
)
def test_only_on_the_faces_that_it_was_fitted_on_is_a_model_said_to_be(
    changed: dict[str, Any], is_fitted_on: bool, reports: Path, tmp_path: Path
) -> None:
    valid = PROVENANCE["data"]["valid"] | {"sets": [{"faces": 70, "votes": "third votes"}]}
    changed = changed | {"provenance": {"data": {"valid": valid}}}
    report = changed_report(reports, tmp_path, changed)
    other = changed_report(reports, tmp_path, changed | {"split": "-"})
    write_card(tmp_path / "card.md", report, other)
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert ("- By these very faces settings are chosen" in text) == is_fitted_on
    assert ("so its part is less strict" in text) == is_fitted_on


def test_class_names_do_not_break_the_tables(reports: Path, tmp_path: Path) -> None:
    result = validate(made_model(), reports, "test")
    labels = ("<b>x", "pain|none*")
    scores = score(np.full((2, 2), 1 / 2), np.array([0, 1]), labels)
    held = {name: share(np.ones(1, dtype=bool)) for name in labels}
    certainty = replace(result.certainty, candidates_hold_of_class=held)
    changed = replace(result, labels=labels, scores=scores, certainty=certainty)
    write_report(tmp_path / "report", changed)
    write_card(tmp_path / "card.md", read_report(tmp_path / "report"))
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert text.count(r"\<b>x") == 3
    rows = [line for line in text.splitlines() if line.startswith(r"| pain\|none\* |")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [6, 3]


def test_every_data_set_of_the_training_has_an_option(reports: Path, tmp_path: Path) -> None:
    one = {"faces": 10, "votes": "labels of folder"}
    data = {"train": one | {"sets": [one, one]}, "valid": one}
    report = changed_report(reports, tmp_path, {"provenance": {"data": data}})
    write_card(tmp_path / "card.md", report)
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "mien train --data-dir DATA_DIR_1 --data-dir DATA_DIR_2 --model" in text
    assert "mien validate --data-dir DATA_DIR --model" in text


def test_limits_and_the_law_are_named(text: str) -> None:
    assert "## Limits" in text
    assert "Regulation (EU) 2024/1689" in text
    assert "Article 5(1)(f)" in text
    assert re.search(r"Article\s+50\(3\)", text)


def test_without_further_reports_the_card_says_what_was_not_measured(
    reports: Path, tmp_path: Path
) -> None:
    write_card(tmp_path / "card.md", read_report(reports / "valid"))
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert text.count("Not measured.") == 2
    assert "The rarest classes" not in text
    assert "- Cost of the training: not stated" in text
    assert "By these very faces" not in text
    assert "$" not in text


def test_only_a_model_of_ferplus_is_said_to_be_one(reports: Path, tmp_path: Path) -> None:
    write_card(tmp_path / "card.md", read_report(reports / "valid"))
    other = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "FER-2013" not in other
    assert "mien prepare ferplus" not in other
    assert "    mien validate --data-dir DATA_DIR --model" in other
    data = {split: {"faces": 10, "votes": TABLE_EDITION} for split in ("train", "valid")}
    changed = {"votes": TABLE_EDITION, "provenance": {"data": data}}
    write_card(tmp_path / "card.md", changed_report(reports, tmp_path, changed))
    ferplus = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "The pictures are those of FER-2013" in ferplus
    assert "    mien prepare ferplus --fer2013" in ferplus
    assert "    mien validate --data-dir ferplus --model" in ferplus


def test_the_card_says_how_its_figures_are_made(text: str) -> None:
    assert re.search(r"    mien validate .* --split test --robustness --report test\n", text)
    assert "    python benchmarks/not_faces.py test " in text
    assert text.endswith("    mien card test --other valid --out model-card.md\n")


def test_teachers_are_told_by_what_they_are(reports: Path, tmp_path: Path) -> None:
    changed = {"provenance": {"teacher_digests": ["0123456789abcdef" * 4]}}
    write_card(tmp_path / "card.md", changed_report(reports, tmp_path, changed))
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "- Teachers: wise.ckpt (SHA-256 0123456789ab...)" in text


def test_what_made_a_model_small_is_told(reports: Path, tmp_path: Path) -> None:
    for changes, told, command in (
        ({}, "Trained for", "mien train"),
        ({"kept_variance": 0.995}, "which keep 99.5 %", "mien export model.ckpt"),
        ({"kept_variance": 1, "quantized": "in 8 bits"}, "Quantised: in 8 bits", "mien quantize"),
    ):
        report = changed_report(reports, tmp_path, {"provenance": changes})
        write_card(tmp_path / "card.md", report)
        text = (tmp_path / "card.md").read_text(encoding="utf-8")
        assert told in text
        assert f"    {command}" in text
        assert text.count("small.onnx") == (1 if changes else 0)


def test_what_was_done_to_a_trained_network_is_told(reports: Path, tmp_path: Path) -> None:
    changed = {"provenance": {"changes": ["Mean of weights: 1 of a.ckpt"]}}
    write_card(tmp_path / "card.md", changed_report(reports, tmp_path, changed))
    assert "\n- Mean of weights: 1 of a.ckpt\n" in (tmp_path / "card.md").read_text(
        encoding="utf-8"
    )


def test_a_model_made_in_several_steps_says_so(reports: Path, tmp_path: Path) -> None:
    told = card(reports, tmp_path / "card.md", made="Averaged, see `steps.md`.")
    assert "Averaged, see `steps.md`.\n\nThe settings of the last training:\n\n```toml" in told
    assert "mien train" not in told


def test_cuts_that_another_model_answered_are_refused(reports: Path, tmp_path: Path) -> None:
    for path in (reports / "test").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    values = json.loads((tmp_path / "not_faces.json").read_text())
    (tmp_path / "not_faces.json").write_text(json.dumps(values | {"model": "other.onnx"}))
    of_another = re.escape(f"{tmp_path / 'not_faces.json'}: of other.onnx, expected of ")
    with pytest.raises(DataError, match=f"^{of_another}"):
        read_report(tmp_path)


@pytest.mark.parametrize("votes", [TABLE_EDITION, "labels of affwild2"])
def test_reports_on_other_data_are_not_counted_together(
    votes: str, reports: Path, tmp_path: Path
) -> None:
    ours, theirs = read_report(reports / "test"), read_report(reports / "valid")
    ours, theirs = replace(ours, votes=votes), replace(theirs, votes="labels of folder")
    with pytest.raises(DataError, match="is by the labels of folder, expected the same data: "):
        write_card(tmp_path / "card.md", ours, theirs)


def test_votes_of_the_repository_are_not_prepared_from_the_table(
    reports: Path, tmp_path: Path
) -> None:
    for edition, is_prepared in ((TABLE_EDITION, True), (REPOSITORY_EDITION, False)):
        data = {"train": {"faces": 1, "votes": edition}, "valid": {"faces": 1, "votes": edition}}
        changed = {"votes": edition, "provenance": {"data": data}}
        write_card(tmp_path / "card.md", changed_report(reports, tmp_path, changed))
        text = (tmp_path / "card.md").read_text(encoding="utf-8")
        assert ("    mien prepare ferplus" in text) == is_prepared
        assert "--data-dir ferplus" in text


def test_a_new_report_leaves_nothing_of_the_one_before(reports: Path, tmp_path: Path) -> None:
    result = validate(made_model(), reports, "valid")
    for name in ("not_faces.json", "robustness.csv"):
        (tmp_path / name).write_text("of another model")
    write_report(tmp_path, result)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("logits.csv", "report.html", "scores.json")
    }
    (tmp_path / "scores.json.part").mkdir()  # nothing can be written there
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(OSError, match=r"scores\.json"):
        write_report(tmp_path, result)
    (tmp_path / "scores.json.part").rmdir()
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for content, message in (("{", "damaged"), ("{}", "lacks 'uncertain'")):
        (tmp_path / "not_faces.json").write_text(content)
        with pytest.raises(DataError, match=rf"not_faces\.json: {message}"):
            read_report(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no scores.json"),
        ("{", "scores.json: damaged"),
        (
            '{"robustness": null}',
            "scores.json: lacks 'model'; make it again with 'mien validate'",
        ),
        ("[]", "scores.json: damaged"),
        ("[" * 100_000, "scores.json: damaged"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "scores.json").write_text(content)
    with pytest.raises(DataError, match=re.escape(message)):
        read_report(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"provenance": None},
        {"votes": None},
        {"labels": None},
        {"confusion": "none"},
        {"confusion": [[1]]},
        {"certainty": {"risk_coverage": []}},
        {"certainty": {"candidates_hold_of_class": {}}},
        {"certainty": {"mean_candidates": "1"}},
        {"accuracy": {"value": 1.5, "low": 0, "high": 1, "count": 2}},
        {"accuracy": 0.5},
        {"brier": float("nan")},
        {"kullback_leibler_to_votes": True},
        {"accuracy_without_training_duplicates": {}},
        {"confusion": [[1, 0], [1, -1]]},
        {"confusion": [[9, 0], [0, 1]]},
        {"confusion": [[10**30, 0], [0, 1]]},
        {"labels": ["neutral", "happiness"]},
        {"labels": [1, 2]},
        {"classes": []},
        {"bins": []},
        {"robustness": [1]},
        {"provenance": {"data": []}},
        {"provenance": {"data": {"train": 3}}},
        {"provenance": {"data": {"valid": {"faces": "many", "votes": "all"}}}},
        {"provenance": {"settings": None}},
        {"provenance": {"settings": {"teacher": [3]}}},
        {"provenance": {"teacher_digests": 5}},
        {"provenance": {"kept_variance": "all"}},
        {"provenance": {"changes": "many"}},
        {"provenance": {"steps": "many"}},
    ],
    ids=str,
)
def test_what_is_of_another_kind_is_told_as_damage(
    changed: dict[str, Any], reports: Path, tmp_path: Path
) -> None:
    values = json.loads((reports / "valid" / "scores.json").read_text())
    certainty = values["certainty"] | changed.get("certainty", {})
    text = json.dumps(values | changed | {"certainty": certainty})
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(DataError, match=r"scores\.json: (damaged|lacks)"):
        read_report(tmp_path)


def test_votes_in_a_report_are_no_markup(reports: Path, tmp_path: Path) -> None:
    values = json.loads((reports / "test" / "scores.json").read_text())
    strange = {"votes": "<script>alert(1)</script>\n# Head"}
    (tmp_path / "scores.json").write_text(json.dumps(values | strange))
    write_card(tmp_path / "card.md", read_report(tmp_path))
    text = (tmp_path / "card.md").read_text()
    assert "by the \\<script>alert(1)\\</script> # Head\n" in text


@pytest.mark.parametrize(
    "changed", [{"kinds": {}}, {"likeness_auroc": 2}, {"uncertain": [1]}, {"kinds": [1]}], ids=str
)
def test_damaged_answers_to_cuts_are_told(
    changed: dict[str, Any], reports: Path, tmp_path: Path
) -> None:
    for path in (reports / "test").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    values = json.loads((tmp_path / "not_faces.json").read_text())
    (tmp_path / "not_faces.json").write_text(json.dumps(values | changed))
    with pytest.raises(DataError, match=r"not_faces\.json: damaged"):
        read_report(tmp_path)
