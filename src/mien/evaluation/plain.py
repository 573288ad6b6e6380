"""Dataclasses out of the plain values that `dataclasses.asdict` and JSON made of them."""

import dataclasses
import math
import sys
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")

#: Hints of numbers that lie within limits.
Portion = Annotated[float, (0, 1)]
Count = Annotated[int, (0, math.inf)]

#: What JSON makes of values of these types; others keep theirs.
TYPES_IN_JSON: dict[Any, tuple[type, ...]] = {tuple: (list,), dict: (dict,), float: (int, float)}
FINITE = (-sys.float_info.max, sys.float_info.max)


def from_plain(kind: type[Kind], values: Any) -> Kind:
    """A dataclass of the fields that are in `values`; further values are left aside.

    Raises:
        KeyError: a field without a default is missing.
        TypeError: a value is not of the kind that the field's hint says.
        ValueError: a number is not finite, or beyond the limits of the hint.
    """
    if not isinstance(values, dict):
        raise TypeError(f"{values!r:.100} came for {kind.__name__}, expected an object")
    hints = get_type_hints(kind, include_extras=True)
    return kind(
        **{
            field.name: _value(field.name, hints[field.name], values[field.name])
            for field in dataclasses.fields(kind)  # type: ignore[arg-type]
            if field.name in values or not _has_default(field)
        }
    )


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _value(name: str, kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _within(name, arguments[1], _value(name, arguments[0], value))
    if origin in (Union, UnionType):  # with None
        (kind,) = (one for one in arguments if one is not NoneType)
        return None if value is None else _value(name, kind, value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_plain(kind, value)
    if type(value) not in TYPES_IN_JSON.get(origin or kind, (kind,)):
        raise TypeError(f"{name} is {value!r:.100}, expected type {(origin or kind).__name__}")
    if origin is tuple:
        return tuple(_value(name, arguments[0], one) for one in value)
    if origin is dict:
        return {key: _value(name, arguments[1], one) for key, one in value.items()}
    return _within(name, FINITE, value) if kind is float else value


def _within(name: str, limits: tuple[float, float], value: float) -> float:
    low, high = limits
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:.6g}, expected {low:g} to {high:g}")
    return value
