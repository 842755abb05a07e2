"""Replies as JSON lines: what `classify --json` and `rules coverage` read.

Contract: `rows` yields (reply, mx, stage, right categories) per non-empty line; all but the reply
may be null or absent.
Failure: `RulesError` naming the line that is no such object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rules.errors import RulesError

__all__ = ["ReplyRow", "rows"]


class ReplyRow(NamedTuple):
    """A reply and where it was heard."""

    reply: str
    mx: str | None
    stage: str | None
    right: tuple[str, ...] = ()  # the categories that are right, if the file says so


def rows(lines: Iterable[str], name: str) -> Iterator[ReplyRow]:
    """The rows of a file of JSON lines."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise RulesError(f"{name}:{number}: not JSON: {error}") from error
        except RecursionError as error:
            raise RulesError(f"{name}:{number}: not JSON: nested too deeply") from error
        if not isinstance(value, dict) or not isinstance(value.get("reply"), str):
            raise RulesError(f'{name}:{number}: not an object with a text "reply"')
        yield ReplyRow(
            value["reply"],
            _text(value.get("mx")),
            _text(value.get("stage")),
            _texts(value.get("category")),
        )


def _texts(value: object) -> tuple[str, ...]:
    """One label, or several that all count as right."""
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
