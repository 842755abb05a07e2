"""What a scripted receiver answers: rate limits, greylisting, liars, and those who take everything.

Contract: pure. A behaviour is asked at three places of a session (connect, RCPT TO, end of DATA)
with the time as an argument and answers with an SMTP reply, or None: "go on". One message is one
unit of every rate: it is counted when its first recipient is seen, and refused there.
Failure: an unknown kind or parameter raises ValueError or TypeError at once, in `make`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["KINDS", "Behaviour", "Rcpt", "make"]


class Rcpt(NamedTuple):
    """One RCPT TO command in its place."""

    peer: str
    sender: str
    recipient: str
    nth: int  # 1: the first RCPT TO of this message


class Behaviour:
    """Takes everything; the others override what they refuse."""

    greets = 0.0  # seconds until the greeting

    def connect(self, peer: str, open_now: int, now: float) -> str | None:
        """The greeting's place: a reply here ends the session."""
        return None

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        """The reply to one recipient."""
        return None

    def data(self, peer: str, recipients: int, now: float) -> str | None:
        """The reply to the end of DATA."""
        return None


@dataclass
class Fixed(Behaviour):
    """Always the same reply; with `only`, just for recipients whose local part begins with it."""

    reply: str
    stage: str = "rcpt"
    only: str = ""

    def connect(self, peer: str, open_now: int, now: float) -> str | None:
        return self.reply if self.stage == "connect" else None

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        if self.stage != "rcpt" or not rcpt.recipient.startswith(self.only):
            return None
        return self.reply

    def data(self, peer: str, recipients: int, now: float) -> str | None:
        return self.reply if self.stage == "data" else None


@dataclass
class Slow(Behaviour):
    """Takes everything, and greets after a pause."""

    greets: float = 5.0


@dataclass
class Once(Behaviour):
    """Refuses everything from the first question on for `seconds`, then takes everything."""

    reply: str
    seconds: float
    _until: float = 0.0

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        self._until = self._until or now + self.seconds
        return self.reply if now < self._until else None


@dataclass
class _Rate(Behaviour):
    """What all message rates share: the first RCPT TO of a message decides for the message."""

    limit: int
    per: float
    reply: str

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        return None if self.allow(rcpt, now) else self.reply

    def allow(self, rcpt: Rcpt, now: float) -> bool:
        raise NotImplementedError


@dataclass
class Window(_Rate):
    """At most `limit` messages in each window of `per` seconds, per address."""

    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def key(self, rcpt: Rcpt) -> str:
        return rcpt.peer

    def allow(self, rcpt: Rcpt, now: float) -> bool:
        if rcpt.nth > 1:
            return True
        key, window = self.key(rcpt), math.floor(now / self.per)
        last, count = self._seen.get(key, (window, 0))
        count = count if last == window else 0
        if count >= self.limit:
            return False
        self._seen[key] = (window, count + 1)
        return True


@dataclass
class RecipientRate(Window):
    """At most `limit` messages per recipient in each window."""

    def key(self, rcpt: Rcpt) -> str:
        return rcpt.recipient


@dataclass
class SenderRate(Window):
    """At most `limit` messages per sender's domain in each window; the reply may name it: {}."""

    def key(self, rcpt: Rcpt) -> str:
        return rcpt.sender.rpartition("@")[2].lower()

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        refusal = super().rcpt(rcpt, now)
        return refusal and refusal.replace("{}", self.key(rcpt))


@dataclass
class Sliding(_Rate):
    """At most `limit` messages in any `per` seconds; each refusal blocks for `penalty`."""

    penalty: float = 10.0
    _taken: dict[str, deque[float]] = field(default_factory=dict)
    _blocked: dict[str, float] = field(default_factory=dict)

    def allow(self, rcpt: Rcpt, now: float) -> bool:
        if rcpt.nth > 1:
            return True
        taken = self._taken.setdefault(rcpt.peer, deque())
        while taken and taken[0] <= now - self.per:
            taken.popleft()
        until = self._blocked.get(rcpt.peer, 0.0)
        if now < until or len(taken) >= self.limit:
            self._blocked[rcpt.peer] = now + self.penalty
            return False
        taken.append(now)
        return True


@dataclass
class Blocking(Window):
    """Over the limit, the address is turned away at connect for `block` seconds."""

    block: float = 60.0
    greeting: str = "554 5.7.1 Your address is blocked for sending too much, try later"
    _until: dict[str, float] = field(default_factory=dict)

    def connect(self, peer: str, open_now: int, now: float) -> str | None:
        return self.greeting if now < self._until.get(peer, 0.0) else None

    def allow(self, rcpt: Rcpt, now: float) -> bool:
        if now < self._until.get(rcpt.peer, 0.0):
            return False
        allowed = super().allow(rcpt, now)
        if not allowed:
            self._until[rcpt.peer] = now + self.block
        return allowed


@dataclass
class Concurrency(Behaviour):
    """At most `limit` open sessions per address."""

    limit: int
    reply: str = "421 4.7.0 Too many concurrent SMTP connections from this IP address"

    def connect(self, peer: str, open_now: int, now: float) -> str | None:
        return self.reply if open_now > self.limit else None


@dataclass
class Greylist(Behaviour):
    """Refuses each (address, sender, recipient) until `delay` seconds after its first try."""

    delay: float
    hint: bool = False
    _first: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        key = (rcpt.peer, rcpt.sender, rcpt.recipient)
        wait = self._first.setdefault(key, now) + self.delay - now
        if wait <= 0:
            return None
        if not self.hint:
            return "450 4.2.0 Greylisted, please try again later"
        minutes, seconds = divmod(math.ceil(wait), 60)
        return f"450 4.2.0 Greylisted; retry={minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


@dataclass
class Recipients(Behaviour):
    """At most `limit` recipients in one message."""

    limit: int
    reply: str = "452 4.5.3 Too many recipients"

    def rcpt(self, rcpt: Rcpt, now: float) -> str | None:
        return self.reply if rcpt.nth > self.limit else None


KINDS: Mapping[str, type[Behaviour]] = {
    "accept": Behaviour,
    "fixed": Fixed,
    "once": Once,
    "slow": Slow,
    "window": Window,
    "recipient-rate": RecipientRate,
    "sender-rate": SenderRate,
    "sliding": Sliding,
    "blocking": Blocking,
    "concurrency": Concurrency,
    "greylist": Greylist,
    "recipients": Recipients,
}


def make(kind: str, **parameters: Any) -> Behaviour:
    """Build a behaviour by its name."""
    if kind not in KINDS:
        raise ValueError(f"no behaviour is called {kind!r}; there are: {', '.join(KINDS)}")
    return KINDS[kind](**parameters)
