"""Who is trained on and who is tested on: no person or video on two sides."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mien.datasets.draws import draw

#: The sides that a group may stand on, the one that keeps it first.
PRECEDENCE = ("test", "valid", "train")


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
    gets one group at least, where there are enough.

    Args:
        members: the pictures.
        shares: the part of the pictures, 0 to 1, that each split but "train" gets.
        seed: another one draws otherwise.
    """
    if any(member.group for member in members):
        parts: list[Sequence[Member]] = [members]
    else:
        of_class: dict[str, list[Member]] = defaultdict(list)
        for member in members:
            of_class[member.emotion].append(member)
        parts = list(of_class.values())
    units_of: dict[str, list[list[Member]]] = {name: [] for name in ("train", *shares)}
    for part in parts:
        _deal(part, shares, seed, units_of)
    for split, share in shares.items():
        if share > 0 and not units_of[split] and len(units_of["train"]) > 1:
            smallest = min(units_of["train"], key=len)
            units_of["train"].remove(smallest)
            units_of[split].append(smallest)
    return {
        member.name: split for split, units in units_of.items() for unit in units for member in unit
    }


def on_another_side(members: Sequence[Member], split_of: Mapping[str, str]) -> list[str]:
    """The names of members whose group also stands on a side with precedence.

    To leave them out keeps what is tested on unseen, and as it was given.

    Args:
        members: the pictures.
        split_of: the split that each was given, by name.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    for member in members:
        sides[member.group].add(split_of[member.name])
    first = {
        group: next(split for split in PRECEDENCE if split in found)
        for group, found in sides.items()
    }
    return [
        member.name
        for member in members
        if member.group and split_of[member.name] != first[member.group]
    ]


def _deal(
    members: Sequence[Member],
    shares: Mapping[str, float],
    seed: int,
    units_of: Mapping[str, list[list[Member]]],
) -> None:
    """Put the groups, and members without one, into the splits."""
    units: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        units[_unit(member)].append(member)
    given = dict.fromkeys(shares, 0)
    for _, unit in sorted(units.items(), key=lambda item: draw(seed, *item[0])):
        split = next(
            (
                name
                for name, share in shares.items()
                if given[name] + len(unit) / 2 <= share * len(members)
            ),
            "train",
        )
        if split != "train":
            given[split] += len(unit)
        units_of[split].append(unit)


def _unit(member: Member) -> tuple[str, str]:
    """What stays together with it: a kind, and a name among those."""
    if member.group:
        return "group", member.group
    return ("copies", member.copies) if member.copies else ("", member.name)
