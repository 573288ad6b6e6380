"""Names and order of the emotions."""

from collections.abc import Sequence

from mien.errors import ConfigError

#: The eight emotions in the order of FER+ (Barsoum et al. 2016).
EMOTIONS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)

#: The columns of a FER+ vote table: the emotions, "unknown" and "not a face".
VOTE_COLUMNS = (*EMOTIONS, "unknown", "NF")


def emotion_columns(labels: Sequence[str]) -> list[int]:
    """Return where each of `labels` stands in `EMOTIONS`.

    Raises:
        ConfigError: a label is no FER+ emotion, stands twice, or there are fewer than two.
    """
    unknown = [label for label in labels if label not in EMOTIONS]
    if unknown:
        raise ConfigError(f"label {unknown[0]!r} is none of FER+'s: {', '.join(EMOTIONS)}")
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise ConfigError(f"labels must be at least two different names, got {list(labels)}")
    return [EMOTIONS.index(label) for label in labels]
