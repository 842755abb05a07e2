"""Mailboxes that receive too much: the messages known to wait for one go a few at a time.

A receiver that counts what each of its mailboxes gets refuses every message for it at once, and
again, all together, once the spoken time is over. So the waiting messages of one such recipient
are a small lane of their own: after the wait one is tried, then a few; as many as it took between
two refusals are its number, and the rest waits another time without asking.

Contract: pure, bounded; recipients are kept as keyed hashes. Only messages with one recipient of
that domain wait here, the others for a time of their own. `crowded` tells of a domain of which at
least every second attempt is refused for a mailbox's sake: the gate then holds a new message once,
for the log line of a hold names its recipient, and lets it go at once if nobody blames that one.
Failure: what is forgotten here goes by the message's own time.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

from policyd.bounded import Bounded
from policyd.throttle.book.message import Box, Part
from policyd.throttle.evidence import Lane

__all__ = ["Mailboxes"]

_MOST = 10_000
_LOOK = 0.25  # seconds between two looks at whether a mailbox has room
_APART = 0.01  # seconds more for each message that looked in vain: few at a time look again
_LOST = 120.0  # seconds after which an attempt without an outcome is forgotten
_QUIET = 6.0  # waits without a refusal, or
_LEAST_QUIET = 60.0  # seconds, after which a mailbox is as any other
_ROUNDS = 4  # that were taken whole before one more is tried
_WEIGHT = 1 / 3  # of the newest attempt in a domain's share of refusals
_CROWD = 0.5  # of them, and
_REFUSALS = 2  # at least, crowd a domain
_CROWDED = 30.0  # seconds for which that is believed, at most


class _Mailbox:
    """One recipient that is blamed."""

    __slots__ = (
        "fails", "let", "open", "out", "period", "refused", "rounds", "size", "taken", "turned",
        "until", "was_refused",
    )  # fmt: skip

    def __init__(self) -> None:
        self.until = 0.0  # nothing goes before
        self.period = 0.0  # how long it waits after a round
        self.refused = 0.0  # when it was refused last
        self.size = 0  # messages it takes in a round; 0: not known
        self.taken = 0  # in this round
        self.rounds = 0  # that were taken whole, one after the other
        self.out = 0  # let go, and not seen again yet
        self.let = 0.0  # when one was let go last
        self.fails = 0  # refusals one after the other
        self.turned = 0  # looked in vain in this round
        self.open = True  # in a round
        self.was_refused = False  # in it

    def room(self) -> bool:
        """Whether one more may go in this round."""
        if self.size:
            return self.taken + self.out < self.size
        return self.out < max(1, self.taken // 2)

    def end_round(self, until: float) -> None:
        """Nothing goes until then; what is on its way still counts."""
        self.until, self.turned, self.open = until, 0, False

    def begin_round(self) -> None:
        """Its time has come: what was taken before it was refused is its number."""
        if self.open:
            return
        if self.was_refused and self.taken:
            self.size = self.taken
        elif self.was_refused and self.fails > 1:
            self.size = max(1, self.size // 2) if self.size else 0
        self.open, self.was_refused, self.taken = True, False, 0


class Mailboxes:
    """All that are blamed; see the module."""

    def __init__(self, most: int = _MOST) -> None:
        self._key = secrets.token_bytes(16)
        self._boxes: Bounded[Box, _Mailbox] = Bounded(most)
        # (lane, domain) → share of refusals, refusals, until when it is believed
        self._crowds: Bounded[tuple[Lane, str], tuple[float, int, float]] = Bounded(most)

    def __bool__(self) -> bool:
        return bool(self._boxes)

    def _of(self, lane: Lane, recipient: str) -> Box:
        name = recipient.lower().encode("utf-8", "surrogatepass")
        return lane, blake2b(name, digest_size=12, key=self._key).digest()

    def blamed(self, lane: Lane, recipient: str, now: float) -> Box | None:
        """What a part that waits for this recipient belongs to; None: to nothing."""
        if not self._boxes:
            return None
        key = self._of(lane, recipient)
        box = self._boxes.get(key)
        if box is None or now - box.refused > max(_LEAST_QUIET, _QUIET * box.period):
            return None
        return key

    def fails(self, lane: Lane, recipient: str) -> int:
        """How often this recipient was refused since it took something."""
        box = self._boxes.get(self._of(lane, recipient))
        return box.fails if box is not None else 0

    def refused(self, lane: Lane, recipient: str, wait: float, now: float) -> tuple[Box, float]:
        """Too much for this recipient; what the message belongs to, and when to look again."""
        key = self._of(lane, recipient)
        if self.blamed(lane, recipient, now) is None:
            self._boxes.pop(key)  # its earlier trouble is over
        box = self._boxes.get(key)
        if box is None:
            box = self._boxes[key] = _Mailbox()
        box.refused = now
        if now >= box.until:  # else it is known: this one was on its way, or asked nobody
            box.begin_round()
            box.fails, box.rounds, box.period = box.fails + 1, 0, wait
            box.was_refused = True
            box.end_round(now + wait)
        return key, box.until

    def accepted(self, lane: Lane, recipient: str, now: float) -> None:
        """It took one."""
        box = self._boxes.get(self._of(lane, recipient)) if self._boxes else None
        if box is None or (now < box.until and not box.out):
            return
        if now >= box.until:
            box.begin_round()
        box.taken += 1
        box.fails = 0
        if box.open and box.size and box.taken >= box.size:
            box.rounds += 1
            if box.rounds >= _ROUNDS:
                box.rounds, box.size = 0, box.size + 1 + box.size // 4
            box.end_round(now + box.period)

    def passed(self, lane: Lane, domain: str, now: float) -> None:
        """Mail for this domain was accepted, for whomever."""
        if self._crowds and (found := self._crowds.get((lane, domain))) is not None:
            share, refusals, until = found
            self._crowds[lane, domain] = share - _WEIGHT * share, refusals, until

    def told(self, lane: Lane, domain: str, wait: float | None, now: float) -> None:
        """Mail for this domain was refused for the sake of a mailbox, whichever."""
        share, refusals, until = self._crowds.get((lane, domain), (0.0, 0, 0.0))
        if now >= until:
            share, refusals = 0.0, 0
        until = max(until, now + min(wait or _CROWDED, _CROWDED))
        self._crowds[lane, domain] = share + _WEIGHT * (1 - share), refusals + 1, until

    def crowded(self, lane: Lane, domain: str, now: float) -> bool:
        """Whether most of what goes to this domain just now is for mailboxes that refuse it."""
        if not self._crowds:
            return False
        share, refusals, until = self._crowds.get((lane, domain), (0.0, 0, 0.0))
        return refusals >= _REFUSALS and share >= _CROWD and now < until

    def turn(self, part: Part, now: float) -> float:
        """When this part may go, or look again; `now`: it may, and its place is taken."""
        if part.let:
            return now
        box = self._boxes.get(part.box) if part.box is not None else None
        if box is None:
            return now
        if now < box.until:
            return box.until
        if box.out and now - box.let > _LOST:
            box.out = 0
        box.begin_round()
        if box.room():
            box.out += 1
            box.let, part.let = now, True
            return now
        box.turned += 1
        if not box.size:
            return now + _LOOK + _APART * box.turned
        # so many rounds later, but somewhat early: more may fit then
        return now + _LOOK + box.turned // (2 * box.size) * box.period

    def over(self, part: Part) -> None:
        """What this part was let go for has come to an end, whichever."""
        box = self._boxes.get(part.box) if part.let and part.box is not None else None
        if box is not None:
            box.out = max(0, box.out - 1)
        part.let = False
