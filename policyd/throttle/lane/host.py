"""One host of a receiver, told by its address: whether it answers, how quickly, and what it takes.

Contract: pure. A host in trouble is aside until a time; then one attempt at a time may find out
whether it answers again. Each time it does not, it stays aside for longer. What comes back while it
is aside was under way before and changes nothing. IPv4 and IPv6 addresses are hosts of their own.
Failure: none; every wait ends.
"""

from __future__ import annotations

from policyd.throttle.lane.hostpace import HostPace
from policyd.throttle.lane.window import Attempt

__all__ = ["Host"]

_SMOOTH = 0.3
_ASKED = 3.0  # attempts, by likelihood: they hardly all went to others
_MOMENT = 0.25  # seconds
_IDLE = 10.0  # seconds after which what it took before tells nothing of a limit


class Host:
    """See the module."""

    __slots__ = (
        "accepted", "address", "answered", "asked", "asked_since", "failed", "latency", "name",
        "pace", "probe", "refused", "reply", "run", "run_since", "seen", "since", "skipped",
        "stop", "taken", "until", "why",
    )  # fmt: skip

    def __init__(self, address: str, name: str, now: float) -> None:
        self.address = address
        self.name = name
        self.seen = now
        self.taken = self.failed = 0.0  # when it did so last
        self.answered = 0.0  # it said something after its greeting
        self.asked = self.asked_since = 0.0  # attempts that might be there, since it spoke last
        self.accepted = self.refused = self.skipped = 0
        self.latency = 0.0  # smoothed seconds an attempt takes there; 0.0: not known
        self.why = ""  # it is aside; "": it is well
        self.reply = ""
        self.since = self.until = self.stop = 0.0  # of being aside
        self.probe: Attempt | None = None
        self.run, self.run_since = 0, now  # accepted one soon after the other
        self.pace: HostPace | None = None  # where it has a limit of its own

    def speaks(self, now: float) -> None:
        """It said something, whatever it was."""
        self.seen = self.answered = now
        self.asked = 0.0

    def lasts(self, took: float) -> float:
        """Its latency, after one more attempt that took so many seconds."""
        return self.latency * (1 - _SMOOTH) + took * _SMOOTH if self.latency else took

    def accepts(self, now: float, took: float | None, *, clears: bool = True) -> None:
        """It took a message; `took`: seconds from the attempt's begin, if it was all its own."""
        if now - self.seen > _IDLE:
            self.run, self.run_since = 0, now
        self.run += 1
        self.accepted += 1
        self.taken = now
        self.speaks(now)
        if took is not None:
            self.latency = self.lasts(took)
        if now < self.until or not clears:
            return  # it was under way
        self.why, self.stop, self.probe = "", 0.0, None
        if self.pace is not None:
            self.pace.accepted(now)
            if self.pace.is_over(now):
                self.pace = None

    def fails(
        self, why: str, reply: str, first: float, factor: float, longest: float, now: float
    ) -> bool:
        """It is in trouble; False: it was aside, and this attempt under way before."""
        self.seen = now
        self.asked = 0.0
        self.refused += 1
        self.failed = now
        if self.why and now < self.until:
            return False
        again = bool(self.why)
        self.stop = min(self.stop * factor, longest) if again else first
        self.since = self.since if again else now
        self.why, self.reply, self.until, self.probe = why, reply, now + self.stop, None
        return True

    def offers(self, part: float, now: float) -> bool:
        """An attempt might go there, as likely as that; True: it has been asked for often."""
        if not self.asked:
            self.asked_since = now
        self.asked += part
        return self.was_asked

    @property
    def was_asked(self) -> bool:
        """Whether it is likely that several attempts went there since it spoke last."""
        return self.asked >= _ASKED

    def is_quiet(self, now: float) -> bool:
        """Whether it may have left several attempts waiting."""
        return self.was_asked and now - self.asked_since >= _MOMENT

    def is_well(self, now: float) -> bool:
        """Whether it may be tried like any other: not in trouble, and within its own limit."""
        if self.why or self.is_quiet(now):
            return False
        return self.pace is None or self.pace.has_room(now)

    def may_probe(self, now: float) -> bool:
        """Whether the next attempt may find out if it answers again."""
        return bool(self.why) and now >= self.until and (self.probe is None or not self.probe.open)
