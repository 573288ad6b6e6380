from collections import Counter

import pytest

from mien.datasets.splitting import Member, drawn_splits, on_another_side
from mien.errors import DataError


def people(count: int, pictures: int) -> list[Member]:
    return [
        Member(f"{person}/{number}", "anger", f"p{person}")
        for person in range(count)
        for number in range(pictures)
    ]


def test_groups_stay_together_and_shares_are_kept() -> None:
    members = people(50, 4)
    split_of = drawn_splits(members, {"test": 0.2, "valid": 0.1}, seed=0)
    assert Counter(split_of.values()) == {"train": 140, "test": 40, "valid": 20}
    sides = {(member.group, split_of[member.name]) for member in members}
    assert len(sides) == 50
    assert split_of == drawn_splits(members[::-1], {"test": 0.2, "valid": 0.1}, seed=0)
    assert split_of != drawn_splits(members, {"test": 0.2, "valid": 0.1}, seed=1)


def test_without_groups_every_class_gives_its_share() -> None:
    members = [Member(f"{n}", "fear" if n % 5 else "contempt", "") for n in range(200)]
    split_of = drawn_splits(members, {"valid": 0.1}, seed=0)
    emotions = Counter(member.emotion for member in members if split_of[member.name] == "valid")
    assert emotions == {"contempt": 4, "fear": 16}


def test_two_people_are_one_on_each_side() -> None:
    split_of = drawn_splits(people(2, 3), {"valid": 0.1}, seed=0)
    assert Counter(split_of.values()) == {"train": 3, "valid": 3}
    assert set(drawn_splits(people(1, 3), {"valid": 0.1}, seed=0).values()) == {"train"}
    assert set(drawn_splits(people(5, 3), {"valid": 0.0}, seed=0).values()) == {"train"}


def test_a_group_on_two_sides_keeps_the_one_that_is_tested_on() -> None:
    members = [Member(name, "anger", name[0]) for name in ("a1", "a2", "b1", "b2", "c1", "c2")]
    members += [Member("d1", "anger", ""), Member("d2", "anger", "")]
    splits = ["train", "valid", "valid", "test", "train", "train", "train", "test"]
    split_of = {member.name: split for member, split in zip(members, splits, strict=True)}
    assert on_another_side(members, split_of) == ["a1", "b1"]


def test_of_copies_on_two_sides_the_one_that_is_tested_on_stays() -> None:
    members = [
        *(Member("a1", "anger", "a", "same"), Member("a2", "anger", "a")),
        *(Member("b1", "fear", "b", "same"), Member("c1", "joy", "", "other")),
        Member("d1", "joy", "", "other"),
    ]
    splits = ["train", "train", "test", "valid", "train"]
    split_of = {member.name: split for member, split in zip(members, splits, strict=True)}
    assert on_another_side(members, split_of) == ["a1", "a2", "d1"]  # b1 shows a


def test_copies_stay_together_though_their_classes_differ() -> None:
    members = [
        Member(f"{name}/{n}", name, "", f"{n}") for n in range(100) for name in ("anger", "fear")
    ]
    members += [Member(f"joy/{n}", "happiness", "", f"{n}") for n in range(20)]
    for seed in range(10):
        split_of = drawn_splits(members, {"valid": 0.2}, seed)
        assert all(split_of[f"anger/{n}"] == split_of[f"fear/{n}"] for n in range(100))
        assert all(split_of[f"anger/{n}"] == split_of[f"joy/{n}"] for n in range(20))
        assert 40 <= Counter(split_of.values())["valid"] <= 50
        assert split_of == drawn_splits(members[::-1], {"valid": 0.2}, seed)


def test_copies_join_their_groups() -> None:
    chain = [
        Member(f"{n}{side}", "anger", f"p{n}", f"{n + side}") for n in range(9) for side in (0, 1)
    ]
    split_of = drawn_splits([*chain, *people(20, 3)[27:]], {"valid": 0.3}, seed=0)
    assert len({split_of[member.name] for member in chain}) == 1
    assert Counter(split_of.values())["valid"] > 0


@pytest.mark.parametrize(
    ("members", "shares"),
    [
        (people(2, 3), {"test": 0.3, "valid": 0.3}),
        (people(1, 3), {"test": 0.0, "valid": 0.5}),
        ([Member(str(n), "anger", "") for n in range(5)], {"valid": 0.9}),
    ],
)
def test_shares_that_leave_nothing_to_train_on_are_refused(
    members: list[Member], shares: dict[str, float]
) -> None:
    with pytest.raises(DataError, match="to valid leave nothing to train on"):
        drawn_splits(members, shares, seed=0)


def test_a_class_keeps_its_only_picture_to_train_on() -> None:
    members = [Member(f"{n}", "fear" if n else "anger", "") for n in range(5)]
    for seed in range(20):
        split_of = drawn_splits(members, {"valid": 0.1}, seed)
        assert Counter(split_of.values()) == {"train": 4, "valid": 1}
        assert split_of["0"] == "train"
