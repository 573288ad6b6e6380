"""Who is trained on and who is tested on: no person or video on two sides."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mien.datasets.draws import draw
from mien.errors import DataError

#: The sides that a group may stand on, the one that keeps it first.
PRECEDENCE = ("test", "valid", "train")

#: What keeps members together: its kind, and a name among those.
Key = tuple[str, str]


class Member(NamedTuple):
    """What counts of a picture when it is put on a side.

    Attributes:
        name: no two have the same.
        emotion: its class.
        group: the person or video, empty where unknown.
        copies: the same for pictures that are copies of one another, else empty.
    """

    name: str
    emotion: str
    group: str
    copies: str = ""


def drawn_splits(
    members: Sequence[Member], shares: Mapping[str, float], seed: int
) -> dict[str, str]:
    """The split of every member, by name: groups and copies stay together, the rest is "train".

    Where no group is known at all, the same share of every class is drawn. Otherwise whole
    groups are drawn until a share is reached as nearly as they allow; a split that is asked for
    gets one group at least, where there are enough: one of the smallest, and of the commonest
    class. Copies in two groups join these.

    Args:
        members: the pictures.
        shares: the part of the pictures, 0 to 1, that each split but "train" gets.
        seed: another one draws otherwise.

    Raises:
        DataError: the shares leave nothing to train on.
    """
    has_groups = any(member.group for member in members)
    parts: dict[str, dict[Key, list[Member]]] = defaultdict(dict)
    for key, unit in _units(members).items():
        parts["" if has_groups else min(unit).emotion][key] = unit
    units_of: dict[str, list[list[Member]]] = {name: [] for name in ("train", *shares)}
    for part in parts.values():
        _deal(part, shares, seed, units_of)
    for split, share in shares.items():
        if share > 0 and not units_of[split] and len(units_of["train"]) > 1:
            spared = _most_easily_spared(units_of["train"])
            units_of["train"].remove(spared)
            units_of[split].append(spared)
    if members and not units_of["train"]:
        told = " and ".join(f"{share:g} to {split}" for split, share in shares.items() if share)
        raise DataError(
            f"shares of {told} leave nothing to train on: they take all "
            f"{sum(map(len, units_of.values()))} groups or single pictures; expected smaller shares"
        )
    return {
        member.name: split for split, units in units_of.items() for unit in units for member in unit
    }


def on_another_side(members: Sequence[Member], split_of: Mapping[str, str]) -> list[str]:
    """The names of members that belong together with one on a side with precedence.

    Those of a group do, and copies, and groups that have copies of one another. To leave them out
    keeps what is tested on unseen, and as it was given.

    Args:
        members: the pictures.
        split_of: the split that each was given, by name.
    """
    first = {}
    for unit in _units(members).values():
        first_side = min((split_of[member.name] for member in unit), key=PRECEDENCE.index)
        first.update({member.name: first_side for member in unit})
    return [one.name for one in members if split_of[one.name] != first[one.name]]


def _deal(
    units: Mapping[Key, list[Member]],
    shares: Mapping[str, float],
    seed: int,
    units_of: Mapping[str, list[list[Member]]],
) -> None:
    """Put what stays together into the splits."""
    count = sum(map(len, units.values()))
    given = dict.fromkeys(shares, 0)
    for _, unit in sorted(units.items(), key=lambda item: draw(seed, *item[0])):
        split = next(
            (
                name
                for name, share in shares.items()
                if given[name] + len(unit) / 2 <= share * count
            ),
            "train",
        )
        if split != "train":
            given[split] += len(unit)
        units_of[split].append(unit)


def _most_easily_spared(units: Sequence[list[Member]]) -> list[Member]:
    """A smallest unit; of these the one whose classes have the most pictures."""
    count_of = Counter(member.emotion for unit in units for member in unit)
    return min(units, key=lambda unit: (len(unit), -min(count_of[one.emotion] for one in unit)))


def _units(members: Sequence[Member]) -> dict[Key, list[Member]]:
    """What stays together: the members of a group, copies, and whatever these join."""
    joined: dict[Key, Key] = {}

    def first_of(key: Key) -> Key:
        while (other := joined.get(key, key)) != key:
            joined[key] = joined.get(other, other)  # chains stay short
            key = other
        return key

    for member in members:
        low, *others = sorted({first_of(key) for key in _keys(member)})
        joined.update(dict.fromkeys(others, low))
    units: dict[Key, list[Member]] = defaultdict(list)
    for member in members:
        units[first_of(_keys(member)[0])].append(member)
    return units


def _keys(member: Member) -> list[Key]:
    """What it stays together with."""
    known = [("group", member.group), ("copies", member.copies)]
    return [(kind, name) for kind, name in known if name] or [("", member.name)]
