from mien.labels import EMOTIONS, VOTE_COLUMNS


def test_emotions_stand_in_the_order_of_ferplus() -> None:
    emotions = "neutral happiness surprise sadness anger disgust fear contempt"
    assert " ".join(EMOTIONS) == emotions
    assert " ".join(VOTE_COLUMNS) == f"{emotions} unknown NF"
