"""The report for machines: one JSON object.

Contract: pure; keys are those of the rows, described in docs/report.md; times are RFC 3339 in UTC,
delays are seconds, shares are between 0 and 1. Failure: none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from policyd.report.rows import ReceiverRow, SlowRow, Summary
from policyd.report.tally import ATTEMPTS

__all__ = ["render"]

_TIMES = frozenset({"first", "last"})


def render(summary: Summary) -> str:
    """The summary as JSON text."""
    return json.dumps(_plain(summary), ensure_ascii=False, indent=2)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        plain = {
            field.name: _time(item) if field.name in _TIMES else _plain(item)
            for field in fields(value)
            if (item := getattr(value, field.name)) is not None
        }
        return plain | _named(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def _named(row: Any) -> dict[str, Any]:
    """Names for what is a bare tuple in a row."""
    if isinstance(row, ReceiverRow):
        keys = ("outcome", "category", "count", "share")
        return {
            "reasons": [dict(zip(keys, _plain(reason), strict=True)) for reason in row.reasons],
            "heat": [dict(zip(ATTEMPTS, slot, strict=True)) for slot in row.heat],
        }
    if isinstance(row, SlowRow):
        names = ("median", "p95")
        return {"delays": {p: dict(zip(names, d, strict=True)) for p, d in row.delays.items()}}
    if isinstance(row, Summary):
        return {"attempts": row.attempts, "slots": [_time(slot) for slot in row.slots]}
    return {}


def _time(value: float) -> str | None:
    return datetime.fromtimestamp(value, UTC).isoformat() if value else None
