"""Who is compared, and how the peers' names of emotions become those of FER+."""

from typing import NamedTuple

from mien.labels import EMOTIONS


class Contestant(NamedTuple):
    """One package in one setting; `benchmarks/peers/<package>.txt` is its environment."""

    name: str
    package: str
    argument: str = ""

    @property
    def module(self) -> str:
        """What drives it."""
        return f"benchmarks.peers.{self.package.replace('-', '_')}"


OURS = (
    Contestant("mien", "mien", "{}"),
    Contestant("mien, one thread", "mien", '{"threads": 1}'),
    Contestant("mien, faces from 40 pixels on", "mien", '{"min_face_size": 40}'),
)
PEERS = (
    Contestant("fer with MTCNN", "fer", "mtcnn"),
    Contestant("fer with Haar", "fer", "haar"),
    Contestant("facial-emotion-recognition", "facial-emotion-recognition"),
)

#: Both peers know the seven classes of FER-2013, in lower case or with a capital.
EMOTION_OF = {
    "neutral": "neutral",
    "happy": "happiness",
    "surprise": "surprise",
    "sad": "sadness",
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
}


def emotion_of(name: str) -> str:
    """The emotion of FER+ that a package's own name means.

    Raises:
        KeyError: it means none.
    """
    return name if name in EMOTIONS else EMOTION_OF[name.lower()]
