"""What other data sets call the emotions."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mien.datasets.csv_file import csv_line, csv_table
from mien.datasets.names import composed
from mien.errors import DataError
from mien.labels import EMOTIONS

#: Spellings that can be nothing else; every other name must be mapped by the user.
SPELLINGS = {
    "neutral": ("neutral",),
    "happiness": ("happiness", "happy"),
    "surprise": ("surprise", "surprised"),
    "sadness": ("sadness", "sad"),
    "anger": ("anger", "angry"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid"),
    "contempt": ("contempt", "contemptuous"),
}
EMOTION_OF = {spelling: emotion for emotion, names in SPELLINGS.items() for spelling in names}

#: So many unknown classes are named in an error.
SHOWN = 10

MAP_HEADER = ["class", "emotion"]


def read_class_map(path: Path) -> dict[str, str]:
    """Read a CSV file `class,emotion`: what each class is; without an emotion it is left out.

    An emotion is one of mien's in any known spelling, or the class's own name, to keep it as a
    class of its own, which others may then be too. Classes are returned in small letters.

    Raises:
        DataError: the file can't be read, an emotion is none of these, or a class appears twice.
    """
    rows = csv_table(path)
    line, header = next(rows)
    if [name.strip().lower() for name in header] != MAP_HEADER:
        raise DataError(
            f"{path}, line {line}: the header is {','.join(header)[:80]!r}, "
            "expected 'class,emotion'"
        )
    mapped = [(line, _plain(name), _plain(emotion)) for line, (name, emotion) in rows]
    kept = {name for _, name, emotion in mapped if emotion == name}
    found: dict[str, str] = {}
    for line, name, emotion in mapped:
        if emotion not in ("", *kept, *EMOTION_OF):
            raise DataError(
                f"{path}, line {line}: emotion {emotion!r}, expected one of "
                f"{', '.join(EMOTIONS)}, nothing to leave the class out, {name!r} to "
                "keep it, or a class that the map keeps"
            )
        if name in found:
            raise DataError(f"{path}, line {line}: class {name!r} appears twice")
        found[name] = EMOTION_OF.get(emotion, emotion)
    return found


def emotions_of(classes: Mapping[str, int], class_map: Mapping[str, str]) -> dict[str, str]:
    """The emotion of every class, empty where the class is left out.

    Args:
        classes: the classes, and how many pictures each has.
        class_map: as `read_class_map` returns it; it goes before the known spellings.

    Raises:
        DataError: a class is in neither.
    """
    known = {**EMOTION_OF, **class_map}
    unknown = sorted(name for name in classes if _plain(name) not in known)
    if unknown:
        counts = ", ".join(f"{name!r} ({classes[name]:,} pictures)" for name in unknown[:SHOWN])
        if len(unknown) > SHOWN:
            counts += f" and {len(unknown) - SHOWN:,} more"
        fear, nothing, kept = (_row(unknown[0], emotion) for emotion in ("fear", "", unknown[0]))
        raise DataError(
            f"no emotion is known for the class {counts}; map it in a CSV file (--map) with the "
            f"header 'class,emotion': {fear} makes it fear, {nothing} leaves it out, {kept} keeps "
            "it"
        )
    return {name: known[_plain(name)] for name in classes}


def unused_classes(classes: Iterable[str], class_map: Mapping[str, str]) -> list[str]:
    """Those of a map that no class is, nor becomes."""
    found = {_plain(name) for name in classes}
    used = found | {class_map[name] for name in found & class_map.keys()}
    return [name for name in class_map if name not in used]


def _row(name: str, emotion: str) -> str:
    return repr(csv_line((name, emotion)).removesuffix("\n"))


def _plain(name: str) -> str:
    return composed(name).strip().lower()
