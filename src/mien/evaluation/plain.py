"""Dataclasses out of the plain values that `dataclasses.asdict` and JSON made of them."""

import dataclasses
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


def from_plain(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """A dataclass of the fields that are in `values`; further values are left aside.

    Raises:
        KeyError: a field is missing.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], values[name]) for name in names})


def _value(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_plain(kind, value)
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return tuple(_value(arguments[0], one) for one in value)
    if get_origin(kind) is dict:
        return {key: _value(arguments[1], one) for key, one in value.items()}
    return value
