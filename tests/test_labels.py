import pytest

from mien.errors import ConfigError
from mien.labels import EMOTIONS, VOTE_COLUMNS, emotion_columns


def test_emotions_stand_in_the_order_of_ferplus() -> None:
    emotions = "neutral happiness surprise sadness anger disgust fear contempt"
    assert " ".join(EMOTIONS) == emotions
    assert " ".join(VOTE_COLUMNS) == f"{emotions} unknown NF"


def test_columns_are_found_by_name_in_any_order() -> None:
    assert emotion_columns(["fear", "neutral", "contempt"]) == [6, 0, 7]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["neutral", "joy"], "'joy' is none of FER"),
        (["neutral", "unknown"], "'unknown' is none of FER"),
        (["neutral", "Happiness"], "'Happiness' is none of FER"),
        (["neutral", "fear", "neutral"], "two different names"),
        (["neutral"], "two different names"),
        ([], "two different names"),
    ],
)
def test_other_labels_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        emotion_columns(labels)
