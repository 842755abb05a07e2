"""How well receivers take our mail: what became of it lately, beside what became of it before.

That is another thing than what mxheed does about them: a receiver that rejects a third of all mail
may well be free. Contract: `Lately.note` is called once a second and remembers the numbers of the
last hour, in slots of five minutes; `of` tells one receiver's health, in words and as shares.
What is bad here is what the alerts in contrib/prometheus speak of: the same shares of as many
attempts. A share that is twice as large as before counts as one level worse.
Failure: none; after a start, what was counted by earlier runs is "before".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from policyd.counting.receivercounts import ReceiverCounts

__all__ = ["DEFERRED", "ENOUGH", "LEVELS", "REJECTED", "HealthView", "Lately", "Seen", "judge"]

LEVELS = ("good", "poor", "bad")
DEFERRED = 0.5  # shares of the attempts above which it is bad, and above half of them, poor
REJECTED = 0.2
ENOUGH = 50  # attempts from which on it may be bad
_SOME = 20  # attempts of the last hour from which on it is that hour that counts
_FEW = 5
_NOTABLE = 0.05  # a smaller share is not worse for having been smaller still
_SPAN, _SLOT = 3600.0, 300.0  # seconds


@dataclass(frozen=True, slots=True)
class HealthView:
    """How well a receiver takes our mail, whatever is done about it."""

    level: str = ""  # good, poor, bad; "": too little mail to tell
    share: float = 0.0  # refused, for now or for good, in the last hour if that tells enough
    usual: float | None = None  # refused before that; None: not known


class Seen(NamedTuple):
    """Attempts that were made, and how many of them were refused."""

    attempts: int = 0
    deferred: int = 0
    rejected: int = 0

    @classmethod
    def of(cls, tally: ReceiverCounts) -> Seen:
        """All that was ever counted of a receiver."""
        deferred, rejected = tally.outcomes.get("deferred", 0), tally.outcomes.get("bounced", 0)
        return cls(tally.sent + deferred + rejected, deferred, rejected)

    def less(self, other: Seen) -> Seen:
        """What came after `other`."""
        return Seen(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def share(self) -> float:
        """The share that was refused, for now or for good."""
        return (self.deferred + self.rejected) / self.attempts if self.attempts else 0.0


class Lately:
    """See the module."""

    def __init__(self) -> None:
        slots = int(_SPAN / _SLOT)
        self._slots: deque[Mapping[str, Seen]] = deque(maxlen=slots + 1)
        self._next = float("-inf")

    def note(self, tallies: Mapping[str, ReceiverCounts], now: float) -> None:
        """Remember the numbers of now, if it is time."""
        if now < self._next:
            return
        self._next = now + _SLOT
        self._slots.append({name: Seen.of(tally) for name, tally in tallies.items()})

    def of(self, tally: ReceiverCounts | None) -> HealthView:
        """The health of one receiver."""
        if tally is None:
            return HealthView()
        before = self._slots[0].get(tally.receiver, Seen()) if self._slots else Seen()
        ever = Seen.of(tally)
        return judge(ever.less(before), before, ever)


def judge(lately: Seen, before: Seen, ever: Seen) -> HealthView:
    """What a receiver did lately, judged by itself and by what it did before."""
    current = lately.attempts >= _SOME
    seen = lately if current else ever
    if seen.attempts < _FEW:
        return HealthView(share=seen.share)
    weight = max(seen.deferred / DEFERRED, seen.rejected / REJECTED) / seen.attempts
    level = (weight > 0.5) + (weight > 1.0)
    usual = before.share if current and before.attempts >= ENOUGH else None
    if usual is not None and seen.share > max(2 * usual, _NOTABLE):
        level += 1
    most = 2 if seen.attempts >= ENOUGH else 1
    return HealthView(LEVELS[min(level, most)], seen.share, usual)
