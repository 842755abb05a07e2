"""Why a lane is as it is: the kinds of refusals it has met, each with its last reply.

Contract: a bounded number of kinds, told apart by rule and category. Failure: none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from policyd.throttle.evidence import Evidence

__all__ = ["Reason", "Reasons"]

_KINDS = 8


class Reason:
    """One rule's refusals."""

    __slots__ = ("category", "count", "first", "host", "last", "reply", "rule", "scope")

    def __init__(self, evidence: Evidence) -> None:
        self.rule = evidence.rule
        self.category = evidence.category
        self.scope = evidence.scope
        self.first = evidence.time
        self.count = 0
        self.add(evidence)

    @classmethod
    def of(cls, **values: Any) -> Reason:
        """One from saved values."""
        reason = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(reason, name, values[name])
        return reason

    def add(self, evidence: Evidence) -> None:
        """Count one more refusal."""
        self.count += 1
        self.last = evidence.time
        self.reply = evidence.reply
        self.host = evidence.host


class Reasons:
    """The latest kinds of refusals."""

    __slots__ = ("_kinds",)

    def __init__(self, kinds: Iterable[Reason] = ()) -> None:
        self._kinds: deque[Reason] = deque(kinds, maxlen=_KINDS)

    def __iter__(self) -> Iterator[Reason]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def note(self, evidence: Evidence) -> None:
        """Count a refusal under its kind."""
        for reason in self._kinds:
            if reason.rule == evidence.rule and reason.category == evidence.category:
                reason.add(evidence)
                return
        self._kinds.append(Reason(evidence))
