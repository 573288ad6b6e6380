import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from mien.evaluation.plain import Count, Portion, from_plain


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


@dataclass(frozen=True)
class Bounded:
    share: Portion
    count: Count
    name: str = "nobody"


def test_a_field_with_a_default_may_be_missing() -> None:
    assert from_plain(Bounded, {"share": 1, "count": 2}) == Bounded(1, 2, "nobody")


@dataclass(frozen=True)
class Open:
    anything: Any
    by_name: dict[str, Any]


def test_what_may_be_anything_stays_as_it_is() -> None:
    values = {"anything": [1, None], "by_name": {"a": {"b": 2}}}
    assert from_plain(Open, values) == Open([1, None], {"a": {"b": 2}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "came for Bounded, expected an object"),
        ({"share": "1", "count": 2}, "share is '1', expected type float"),
        ({"share": True, "count": 2}, "share is True, expected type float"),
        ({"share": 0.5, "count": 2.0}, "count is 2.0, expected type int"),
        ({"share": 0.5, "count": 2, "name": None}, "name is None, expected type str"),
    ],
)
def test_a_value_of_another_kind_is_told(values: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        from_plain(Bounded, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"share": 1.5, "count": 2}, "share is 1.5, expected 0 to 1"),
        ({"share": float("nan"), "count": 2}, "share is nan, expected"),
        ({"share": 0.5, "count": -1}, "count is -1, expected 0 to inf"),
    ],
)
def test_a_number_beyond_its_limits_is_told(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_plain(Bounded, values)


@pytest.mark.parametrize(
    "changed", [{"leaves": {}}, {"grid": [1]}, {"by_name": []}, {"first": None}], ids=str
)
def test_values_in_another_order_of_things_are_told(changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        from_plain(Tree, dataclasses.asdict(TREE) | {"leaves": [], "grid": []} | changed)
