import unicodedata
from pathlib import Path

import pytest

from mien.datasets.classes import EMOTION_OF, emotions_of, read_class_map
from mien.errors import DataError
from mien.labels import EMOTIONS


def test_unmistakable_spellings_are_known_in_any_case() -> None:
    names = ["happy", "Angry", "SAD", " afraid ", "surprised", "Disgusted", "neutral", "contempt"]
    assert list(emotions_of(dict.fromkeys(names, 1), {}).values()) == [
        *("happiness", "anger", "sadness", "fear", "surprise", "disgust", "neutral", "contempt")
    ]
    assert set(EMOTION_OF.values()) == set(EMOTIONS)
    assert all(EMOTION_OF[emotion] == emotion for emotion in EMOTIONS)


def test_other_names_are_never_guessed() -> None:
    with pytest.raises(
        DataError, match="class 'bored' \\(2 pictures\\), 'joy' \\(1 pictures\\); map"
    ):
        emotions_of({"joy": 1, "bored": 2, "sad": 3}, {})
    with pytest.raises(DataError, match=r"'person  9' \(2 pictures\) and 30 more; map"):
        emotions_of({f"person {number:2}": 2 for number in range(40)}, {})
    with pytest.raises(DataError, match="'\"shy, quiet\",fear' makes it fear, '\"shy, quiet\",' l"):
        emotions_of({"shy, quiet": 1}, {})
    with pytest.raises(DataError, match=r"^.*'\"a\\nb\",fear' makes it fear.*$"):
        emotions_of({"a\nb": 1}, {})
    mapped = {"joy": "happiness", "bored": "", "sad": "neutral"}
    assert emotions_of({"Joy": 1, "bored": 2, "sad": 3}, mapped) == {
        "Joy": "happiness",
        "bored": "",
        "sad": "neutral",
    }


def test_an_accent_may_be_a_character_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("class,emotion\nMüde,\n", encoding="utf-8")
    parted = unicodedata.normalize("NFD", "müde")
    assert emotions_of({parted: 1}, read_class_map(path)) == {parted: ""}


def test_a_map_names_drops_and_keeps(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("class,emotion\n1,Surprised\nJoy,happiness\nbored,\nOther,other\nOdd,Other\n")
    assert read_class_map(path) == {
        "1": "surprise",
        "joy": "happiness",
        "bored": "",
        "other": "other",
        "odd": "other",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,surprise\n", "line 1: the header is '1,surprise', expected 'class,emotion'"),
        ("class,emotion\n1\n", "line 2: 1 columns, expected 2"),
        ("class,emotion\njoy,hapiness\n", "line 2: emotion 'hapiness', expected one of neutral,"),
        ("class,emotion\na,fear\nA,\n", "line 3: class 'a' appears twice"),
    ],
)
def test_a_broken_map_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_class_map(path)
