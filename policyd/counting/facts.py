"""What is known of each log, as one frozen value: for pages, metrics and doctor.

Contract: `LogFacts.note(now)` is called once a second; `of_logs()` is how each log stands: how it
is read (`logparse.source.SourceStatus`), whose lines are in it, and how fast they come, over the
last `SPAN` seconds or so. Failure: none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from logparse.frame import frame_of
from logparse.source import SourceStatus
from policyd.counting.counters import Counters
from policyd.counting.machinereader import MachineSeen
from policyd.counting.machines import Machines
from policyd.counting.unread import Unread

__all__ = ["SPAN", "LogFacts", "SourceFacts"]

SPAN, _STEP = 60.0, 5.0  # seconds that rates are told of; seconds between two looks


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One log."""

    name: str
    kind: str  # file, glob, journal, stdin, pipe, sample
    trouble: str = ""  # why it cannot be read
    at_end: bool = False
    behind: int = 0  # bytes that are not read yet, as far as it can be told
    gap: int = 0  # bytes lost, since the start
    lines: int = 0  # since the start
    deliveries: int = 0  # recipients whose attempts it told of
    lines_per_second: float = 0.0
    deliveries_per_second: float = 0.0
    frame: str = ""  # of the newest lines
    offset: float = 0.0  # seconds its stamps are behind: of the machine that is off most
    offset_kind: str = "none"  # what that is: none, zone, clock
    newest: int = 0  # stamp of the newest line; 0: none since the start
    machines: tuple[MachineSeen, ...] = ()
    unparsed: int = 0  # lines that look like a delivery and are not read, since the start
    samples: tuple[str, ...] = ()  # the last of them


class _Counting(Protocol):
    """Where the numbers are (`policyd.core.Core`)."""

    machines: Machines
    counters: Counters
    unread: Unread


class LogFacts:
    """See the module."""

    def __init__(self, counting: _Counting, status: Callable[[], Iterable[SourceStatus]]) -> None:
        self._machines = counting.machines
        self._counters = counting.counters
        self._unread = counting.unread
        self._status = status
        self.lost: str | None = None  # why a log cannot be read that tells of our own mail
        self.delivered = 0  # recipients of our own mail whose attempts were told of, some time ago
        self._looks: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()

    def note(self, now: float) -> None:
        """See what is lost, and remember how much was read until now, if it is time."""
        ours = self._machines.ours
        wrong = [state for state in self._status() if state.key in ours and state.trouble]
        self.lost = _words(wrong[0]) if wrong else None
        if self._looks and now - self._looks[-1][0] < _STEP:
            return
        told = self._machines.delivered_ours()
        self.delivered = self._all() if told is None else told
        self._looks.append((now, {name: self._read(name) for name in self._machines.lines}))
        while len(self._looks) > 2 and now - self._looks[0][0] > SPAN:
            self._looks.popleft()

    def of_logs(self) -> list[SourceFacts]:
        """Each log."""
        whose: dict[str, list[MachineSeen]] = {}
        for seen in self._machines.seen():
            whose.setdefault(seen.source, []).append(seen)
        return [self._of(status, tuple(whose.get(status.key, ()))) for status in self._status()]

    def why(self, asked: bool) -> str:
        """Words for what is wrong with some of several logs, or with whose lines they hold.

        `asked`: Postfix asks us, so the lines that tell of its mail should be there.
        """
        states = list(self._status())
        wrong = [state for state in states if state.trouble]
        if len(states) > 1 and wrong:
            told = "; ".join(map(_words, wrong[:3]))
            return f"{len(wrong)} of {len(states)} logs cannot be read ({told})"
        return self._machines.here.why if asked else ""

    @property
    def newest(self) -> int:
        """The stamp of the newest line that may tell of our own mail."""
        machines = self._machines
        return machines.newest if machines.sees_others else self._counters.last_time

    @property
    def marks(self) -> tuple[int, int]:
        """What moves while the log tells of our own mail: the newest stamp, and deliveries."""
        return self.newest, self.delivered

    def _of(self, status: SourceStatus, machines: tuple[MachineSeen, ...]) -> SourceFacts:
        lines, deliveries = self._rates(status.key)
        farthest = max(machines, key=lambda seen: abs(seen.offset), default=None)
        known = 0 if status.key else self._counters.last_time  # saved, where there is only one log
        return SourceFacts(
            name=status.name,
            kind=status.kind,
            trouble=status.trouble,
            at_end=status.at_end,
            behind=status.behind,
            gap=status.gap,
            lines=self._machines.lines.get(status.key, 0),
            deliveries=self._read(status.key)[1],
            lines_per_second=lines,
            deliveries_per_second=deliveries,
            frame=frame_of(self._machines.samples.get(status.key, b"")),
            offset=farthest.offset if farthest else 0.0,
            offset_kind=farthest.kind if farthest else "none",
            newest=max((seen.newest for seen in machines), default=0) or known,
            machines=machines if self._machines.shown else (),
            unparsed=self._unread.counts.get(status.key, 0),
            samples=tuple(self._unread.by_log.get(status.key, ())),
        )

    def _read(self, key: str) -> tuple[int, int]:
        """Lines and deliveries of a log so far."""
        delivered = self._machines.delivered(key)
        if delivered is None:  # only one machine speaks in only one log: all is of it
            delivered = self._all()
        return self._machines.lines.get(key, 0), delivered

    def _all(self) -> int:
        tallies = self._counters.tallies.values()
        return sum(count for tally in tallies for _, count in tally.all_outcomes())

    def _rates(self, key: str) -> tuple[float, float]:
        looks = [(when, seen) for when, seen in self._looks if key in seen]
        if len(looks) < 2:
            return 0.0, 0.0
        (begun, before), (ended, after) = looks[0], looks[-1]
        spent = ended - begun
        lines, mail = (new - old for new, old in zip(after[key], before[key], strict=True))
        return max(0.0, lines / spent), max(0.0, mail / spent)


def _words(state: SourceStatus) -> str:
    """What is wrong with which log; the only one names itself."""
    return f"{state.name}: {state.trouble}" if state.key else state.trouble
