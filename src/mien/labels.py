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

#: The columns of a vote table that are no class: the crowd can't tell, or it is not a face.
NO_CLASS = ("unknown", "NF")

#: The columns of the vote table of FER+.
VOTE_COLUMNS = (*EMOTIONS, *NO_CLASS)


def check_labels(labels: Sequence[str]) -> None:
    """Raise ConfigError unless `labels` are two or more names, all different, none empty."""
    if len(set(labels)) != len(labels) or len(labels) < 2 or "" in labels:
        raise ConfigError(f"labels must be at least two different names, got {list(labels)}")
