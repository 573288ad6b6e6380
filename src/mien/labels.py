"""Names and order of the emotions."""

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
