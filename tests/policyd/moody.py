"""Receivers of the simulator that say more, change their mind, or are slow to greet.

Each wraps what `tests.policyd.sim` has: a time in the refusal, another category, another limit from
some moment on, a pause before the greeting, a quota, a world of many receivers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.policyd.sim import FixedWindow, Judge, Mail, Unlimited, World

__all__ = ["Changing", "ManyWorld", "Quota", "Saying", "Slow"]


class Saying(Unlimited):
    """Another receiver in other words: a category of its own, and a time that it names."""

    def __init__(self, judge: Judge, category: str = "", hint: float | None = None) -> None:
        self.judge, self.category, self.hint = judge, category, hint
        self.ideal, self.greets = judge.ideal, judge.greets

    def arrive(self, now: float) -> str | None:
        refused = self.judge.arrive(now)
        return (self.category or refused) if refused else None

    def leave(self, now: float) -> None:
        self.judge.leave(now)


class Slow(Saying):
    """Greets after a pause, whoever comes."""

    def __init__(self, judge: Judge, greets: float) -> None:
        super().__init__(judge)
        self.greets = greets


class Changing(FixedWindow):
    """Windows whose number changes: `steps` are (from when on, number)."""

    def __init__(self, span: float, steps: Sequence[tuple[float, int]]) -> None:
        super().__init__(steps[0][1], span)
        self.steps = steps

    def arrive(self, now: float) -> str | None:
        self.number = next(number for since, number in reversed(self.steps) if since <= now)
        return super().arrive(now)


class Quota(Unlimited):
    """Takes so many, then nothing until a time that it does not name."""

    def __init__(self, number: int, end: float) -> None:
        self.number, self.end = number, end

    def arrive(self, now: float) -> str | None:
        if now < self.end and self.number == 0:
            return "flow.quota"
        self.number -= self.number > 0
        return None


class ManyWorld(World):
    """A receiver of its own behind each domain."""

    def __init__(self, make: Callable[[int], Judge], messages: int, many: int, **more: Any) -> None:
        self.judges = [make(number) for number in range(many)]
        super().__init__(Unlimited(), messages, many, **more)

    def behind(self, mail: Mail) -> Judge:
        return self.judges[_number(mail)]

    def site_of(self, mail: Mail) -> str:
        return f"big{_number(mail)}.test"


def _number(mail: Mail) -> int:
    return int(mail.domain[1:].partition(".")[0])
