import dataclasses
import json
from dataclasses import dataclass

import pytest

from mien.evaluation.plain import from_plain


@dataclass(frozen=True)
class Leaf:
    name: str
    size: float | None


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    grid: tuple[tuple[int, ...], ...]
    by_name: dict[str, Leaf]
    first: Leaf


LEAF = Leaf("a", None)
TREE = Tree((LEAF, Leaf("b", 2.5)), ((1, 2), (3,)), {"a": LEAF}, LEAF)


def test_json_comes_back_as_it_went() -> None:
    stored = json.loads(json.dumps(dataclasses.asdict(TREE)))
    assert from_plain(Tree, stored) == TREE


def test_further_values_are_left_aside() -> None:
    assert from_plain(Leaf, {"name": "a", "size": 1, "colour": "green"}) == Leaf("a", 1)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match="size"):
        from_plain(Leaf, {"name": "a"})
