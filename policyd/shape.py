"""The shape that saved JSON must have before anything is taken from it.

Contract: pure. `fits(value, shape)`: a shape is a type (`str`, `int`, `bool`; `float` for any
finite number) or several (`str | None`), `AtLeast(number)`, `Maybe(shape)`, `Among(values)`, a list
`[shape]` of any length, a tuple of shapes for a row of just so many, or a dict: `{str: shape}` for
any keys, else with these keys at least. Whole numbers are those a database can hold; texts are such
as can be written again.
Failure: none; what does not fit is told by the answer.
"""

from __future__ import annotations

from math import isfinite
from types import NoneType, UnionType
from typing import Any, NamedTuple

__all__ = ["Among", "AtLeast", "Maybe", "fits"]

_LARGEST = 1 << 63
_LONGEST = 1_000_000  # characters


class Maybe(NamedTuple):
    """None, or the shape."""

    shape: Any


class AtLeast(NamedTuple):
    """A number from here on: whole if `least` is, else one that may be `endless`."""

    least: float
    endless: bool = False


class Among(NamedTuple):
    """One of these values."""

    values: tuple[Any, ...]


def fits(value: object, shape: Any) -> bool:
    """Whether `value` has this shape."""
    if isinstance(shape, Maybe):
        return value is None or fits(value, shape.shape)
    if isinstance(shape, AtLeast):
        return _number(value, shape)
    if isinstance(shape, Among):
        return isinstance(value, str) and value in shape.values
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(shape)
            and all(map(fits, value, shape))
        )
    if isinstance(shape, dict):
        return isinstance(value, dict) and _table(value, shape)
    if isinstance(shape, UnionType):
        return any(fits(value, arm) for arm in shape.__args__)
    return value is None if shape is NoneType else _plain(value, shape)


def _table(value: dict[Any, Any], shape: dict[Any, Any]) -> bool:
    if str in shape:
        return all(_plain(key, str) and fits(item, shape[str]) for key, item in value.items())
    return all(key in value and fits(value[key], part) for key, part in shape.items())


def _plain(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is str:
        return isinstance(value, str) and len(value) <= _LONGEST and _writable(value)
    if kind is int:
        return isinstance(value, int) and abs(value) < _LARGEST
    if kind is float and isinstance(value, int | float):
        return abs(value) < _LARGEST and isfinite(value)
    return False


def _writable(text: str) -> bool:
    """Half a surrogate pair can be read from JSON and written nowhere."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: object, shape: AtLeast) -> bool:
    if shape.endless and value == float("inf"):
        return True
    whole = isinstance(shape.least, int)
    return _plain(value, int if whole else float) and value >= shape.least  # type: ignore[operator]
