import pytest

from mien.errors import ConfigError
from mien.labels import EMOTIONS, VOTE_COLUMNS, check_labels


def test_emotions_stand_in_the_order_of_ferplus() -> None:
    emotions = "neutral happiness surprise sadness anger disgust fear contempt"
    assert " ".join(EMOTIONS) == emotions
    assert " ".join(VOTE_COLUMNS) == f"{emotions} unknown NF"


@pytest.mark.parametrize(
    "labels", [["neutral", "fear", "neutral"], ["neutral", ""], ["neutral"], []]
)
def test_labels_are_two_different_names_or_more(labels: list[str]) -> None:
    check_labels(["boredom", "fear"])
    with pytest.raises(ConfigError, match="at least two different names"):
        check_labels(labels)
