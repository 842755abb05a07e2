"""A small world on a virtual clock: Postfix's queue manager, delivery agents, receivers, and us.

The model keeps what matters for pacing: an active queue with per-destination concurrency and a
process limit, a back-off of 300 s, delivery agents that ask the gate (through the real `Gate`) and
are busy while they wait for its answer, the status filter that speaks before the log line, log
lines that arrive late, and a hand that lets go of one message per call. Receivers judge each
transaction at the moment it arrives.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Protocol

from policyd.hooks.mxgate import KEEP, Gate
from policyd.receiver.rollup import Receivers
from policyd.serve.later import Later
from policyd.throttle import Controller, PacingSettings
from policyd.throttle.evidence import Evidence


class NoTable:
    """Receivers are rolled up by registrable domain only."""

    def of_host(self, mx: str) -> str | None:
        return None

    def of_domain(self, domain: str) -> str | None:
        return None


class Judge(Protocol):
    """A receiver's rule: None to accept, else the category of the refusal."""

    ideal: float  # messages a second it takes in the long run
    hint: float | None  # seconds that its refusals name
    greets: float  # seconds until its greeting

    def arrive(self, now: float) -> str | None: ...
    def leave(self, now: float) -> None: ...


class Unlimited:
    ideal = float("inf")
    hint: float | None = None
    greets = 0.0

    def arrive(self, now: float) -> str | None:
        return None

    def leave(self, now: float) -> None:
        return None


class FixedWindow(Unlimited):
    """`number` messages in each window of `span` seconds, windows on the clock's grid."""

    def __init__(self, number: int, span: float) -> None:
        self.number, self.span = number, span
        self.ideal = number / span
        self.window, self.taken = -1, 0

    def arrive(self, now: float) -> str | None:
        window = int(now / self.span)
        if window != self.window:
            self.window, self.taken = window, 0
        if self.taken >= self.number:
            return "flow.rate"
        self.taken += 1
        return None


class Sliding(Unlimited):
    """`number` in any `span` seconds; with `penalty`, a refusal blocks that long anew."""

    def __init__(self, number: int, span: float, penalty: float = 0.0) -> None:
        self.number, self.span, self.penalty = number, span, penalty
        self.ideal = number / span
        self.times: deque[float] = deque()
        self.blocked = 0.0

    def arrive(self, now: float) -> str | None:
        while self.times and self.times[0] <= now - self.span:
            self.times.popleft()
        if now < self.blocked or len(self.times) >= self.number:
            if self.penalty:
                self.blocked = now + self.penalty
            return "flow.rate"
        self.times.append(now)
        return None


class Extending(Sliding):
    """As `Sliding`, but each refusal while limited adds to the block, which ends in a minute."""

    def arrive(self, now: float) -> str | None:
        while self.times and self.times[0] <= now - self.span:
            self.times.popleft()
        if now < self.blocked or len(self.times) >= self.number:
            self.blocked = min(max(self.blocked, now) + self.penalty, now + 60)
            return "flow.rate"
        self.times.append(now)
        return None


class Bucket(Unlimited):
    """A token bucket: `number` at once, as many again in `span` seconds."""

    def __init__(self, number: int, span: float) -> None:
        self.number, self.ideal = number, number / span
        self.tokens, self.counted = float(number), 0.0

    def arrive(self, now: float) -> str | None:
        refilled = self.tokens + (now - self.counted) * self.ideal
        self.tokens, self.counted = min(float(self.number), refilled), now
        if self.tokens < 1:
            return "flow.rate"
        self.tokens -= 1
        return None


class Blocking(FixedWindow):
    """As `FixedWindow`, but one more blocks the address for `block` seconds."""

    def __init__(self, number: int, span: float, block: float) -> None:
        super().__init__(number, span)
        self.block, self.until = block, 0.0

    def arrive(self, now: float) -> str | None:
        if now < self.until:
            return "reputation.ip"
        refused = super().arrive(now)
        if refused:
            self.until = now + self.block
        return refused


class Concurrency(Unlimited):
    """At most `number` sessions at a time."""

    def __init__(self, number: int) -> None:
        self.number, self.open = number, 0

    def arrive(self, now: float) -> str | None:
        if self.open >= self.number:
            return "flow.connections"
        self.open += 1
        return None

    def leave(self, now: float) -> None:
        self.open -= 1


class Blocked(Unlimited):
    """Refuses everything between two times, as a block of our address does."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end

    def arrive(self, now: float) -> str | None:
        return "reputation.ip" if self.begin <= now < self.end else None


class Greylist(Unlimited):
    """Refuses each message's first try; the caller tells which message."""


@dataclass
class Mail:
    queue_id: str
    domain: str
    arrived: float
    attempts: int = 0


@dataclass
class Session:
    memory: Any = None


@dataclass
class Result:
    """What one run came to."""

    accepted: int = 0
    refused: int = 0
    holds: int = 0
    waited: int = 0
    releases: int = 0
    took: float = 0.0
    refusals: list[float] = field(default_factory=list)
    acceptances: list[float] = field(default_factory=list)


class World:
    """One Postfix, one receiver behind many domains, with or without us."""

    PROCESSES = 100
    BACKOFF = 300.0
    DISPATCH = 0.002  # seconds of the queue manager per delivery
    LOG_DELAY = 0.06

    def __init__(
        self,
        judge: Judge,
        messages: int,
        domains: int = 20,
        *,
        paced: bool = True,
        latency: float = 0.05,
        seed: int = 1,
        settings: PacingSettings | None = None,
        status: bool = True,
        arrivals: float = 0.0,
        start: float = 1_000_000.0,
        controller: Controller | None = None,
        clock_shift: Callable[[float], float] | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.judge, self.latency, self.status = judge, latency, status
        self.now = self.start = start
        self.result = Result()
        self.total = messages
        self.paced = paced
        self.controller = controller or Controller(settings, rng=random.Random(seed))
        self.gate = Gate(self.controller, Receivers(NoTable()), lambda: self.now)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._active: dict[str, deque[Mail]] = {}
        self._turn: deque[str] = deque()
        self._busy: dict[str, int] = {}
        self._limit: dict[str, int] = {}
        self._idle = [Session() for _ in range(self.PROCESSES)]
        self._deferred: dict[str, Mail] = {}
        self._dispatch_at = start
        self._pumping = False
        gap = 1 / arrivals if arrivals else 0.001
        for i in range(messages):
            mail = Mail(f"Q{i:05d}", f"d{i % domains}.lim", start + i * gap)
            self.at(mail.arrived, lambda mail=mail: self._activate(mail))
        self._credit, self._credited = 4.0, start
        self._woken = False
        self.controller.on_room = self._wake
        self._alarm = float("inf")
        self.controller.door.alarm = self._ring
        if paced:
            self.at(start + 0.05, self._tick)

    # the clock ---------------------------------------------------------------------------------

    def at(self, time: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._serial), what))

    def run(self, limit: float = 3600.0) -> Result:
        """Until every message is delivered, or the limit."""
        while self._events and self.result.accepted < self.total:
            time, _, what = heapq.heappop(self._events)
            if time > self.start + limit:
                break
            self.now = max(self.now, time)
            what()
        self.result.took = self.now - self.start
        return self.result

    # Postfix -----------------------------------------------------------------------------------

    def _activate(self, mail: Mail) -> None:
        if mail.domain not in self._active:
            self._active[mail.domain] = deque()
            self._limit.setdefault(mail.domain, 5)
            self._busy.setdefault(mail.domain, 0)
            self._turn.append(mail.domain)
        self._active[mail.domain].append(mail)
        self._pump()

    def _pump(self) -> None:
        """Hand messages to delivery agents, a little time for each, domains in turn."""
        if self._pumping:
            return
        self._pumping = True
        self.at(max(self.now, self._dispatch_at), self._dispatch)

    def _dispatch(self) -> None:
        self._pumping = False
        if not self._idle:
            return
        for _ in range(len(self._turn)):
            domain = self._turn[0]
            self._turn.rotate(-1)
            if self._active[domain] and self._busy[domain] < self._limit[domain]:
                mail = self._active[domain].popleft()
                self._busy[domain] += 1
                session = self._idle.pop()
                self._dispatch_at = self.now + self.DISPATCH
                self.at(self.now + self._vary(0.004), partial(self._ask, mail, session))
                self._pump()
                return

    def _done(self, mail: Mail, session: Session, grow: bool) -> None:
        self._busy[mail.domain] -= 1
        if grow:
            self._limit[mail.domain] = min(20, self._limit[mail.domain] + 1)
        self._idle.append(session)
        self._pump()

    def _defer(self, mail: Mail) -> None:
        self._deferred[mail.queue_id] = mail
        tried = mail.attempts = mail.attempts + 1

        def again() -> None:
            if self._deferred.get(mail.queue_id) is mail and mail.attempts == tried:
                del self._deferred[mail.queue_id]
                self._activate(mail)

        self.at(self.now + self.BACKOFF * self.rng.uniform(1, 2), again)

    def _vary(self, seconds: float) -> float:
        return seconds * self.rng.uniform(0.5, 2.0)

    def behind(self, mail: Mail) -> Judge:
        """The receiver of a message."""
        return self.judge

    def site_of(self, mail: Mail) -> str:
        """The registrable domain of its exchanger."""
        return "big.test"

    def _ask(self, mail: Mail, session: Session) -> None:
        if not self.paced:
            self._connect(mail, session)
            return
        mx = f"mx.{self.site_of(mail)}"
        self.gate.ask(f"{mail.domain}. 0 IN MX 10 {mx}.".encode(), session)
        answer = self.gate.ask(f"{mx}. 0 IN A 127.0.0.11".encode(), session)
        if isinstance(answer, Later):
            self.result.waited += 1
            answer.then(lambda late: self.at(self.now, lambda: self._told(mail, session, late)))
        else:
            self._told(mail, session, answer)

    def _told(self, mail: Mail, session: Session, answer: bytes) -> None:
        if answer is not KEEP:
            self.result.holds += 1
            self._defer(mail)
            self._log(mail, "held", "", 0.0)
            self._done(mail, session, False)
            return
        self._connect(mail, session)

    def _connect(self, mail: Mail, session: Session) -> None:
        whole = self._vary(self.latency)
        greeted = self.now + self.behind(mail).greets + whole * 0.3
        self.at(greeted, lambda: self._arrive(mail, session, whole * 0.7))

    def _arrive(self, mail: Mail, session: Session, rest: float) -> None:
        category = self.behind(mail).arrive(self.now)
        if category is None:
            self.at(self.now + rest, lambda: self._accepted(mail, session))
            return
        self.result.refused += 1
        self.result.refusals.append(self.now)
        self.at(self.now + 0.003, lambda: self._refused(mail, session, category))

    def _accepted(self, mail: Mail, session: Session) -> None:
        self.behind(mail).leave(self.now)
        self.result.accepted += 1
        self.result.acceptances.append(self.now)
        if self.paced and self.status:
            self.gate.accepted(session)
        self._log(mail, "sent", "", 0.05)
        self._done(mail, session, True)

    def _refused(self, mail: Mail, session: Session, category: str) -> None:
        if self.paced and self.status:
            self.gate.refused(self._evidence(mail, "deferred", category, "status", 0.0), session)
        self._defer(mail)
        self._log(mail, "deferred", category, 0.05)
        self._done(mail, session, category != "flow.connections")

    # us ----------------------------------------------------------------------------------------

    def _evidence(
        self, mail: Mail, outcome: Any, category: str, source: Any, took: float
    ) -> Evidence:
        site, judge = self.site_of(mail), self.behind(mail)
        return Evidence(
            self.now, source, None, "unknown" if outcome == "held" else f"mx:{site}",
            mail.domain, f"a@{mail.domain}", mail.queue_id if source == "log" else "",
            "" if outcome == "held" else f"mx.{site}", outcome, category,
            "ip" if category else "connection", "slow" if category else "none",
            category or None, f"450 {category}", judge.hint if category else None, None,
            "local" if outcome == "held" else "remote", 1, (mail.attempts, self.now), mail.arrived,
        )  # fmt: skip

    def _log(self, mail: Mail, outcome: str, category: str, took: float) -> None:
        if not self.paced:
            return
        evidence = self._evidence(mail, outcome, category, "log", took)

        def read() -> None:
            self.controller.observe(evidence, self.now)
            if outcome == "sent":
                self.controller.removed(mail.queue_id)

        self.at(self.now + self._vary(self.LOG_DELAY), read)

    def _wake(self) -> None:
        if self.paced and not self._woken:
            self._woken = True
            self.at(self.now + 0.001, self._release)

    def _ring(self, when: float) -> None:
        if when < self._alarm:
            self._alarm = when
            self.at(when, partial(self._tend, when))

    def _tend(self, when: float) -> None:
        if when == self._alarm:  # else an earlier one was asked for meanwhile
            self._alarm = float("inf")
            self.controller.door.tend(self.now)

    def _tick(self) -> None:
        self._release()
        if self.result.accepted < self.total:
            self.at(self.now + 0.05, self._tick)

    def _release(self) -> None:
        """At most a hundred commands a second, four at a time."""
        self._woken = False
        self._credit = min(4.0, self._credit + (self.now - self._credited) * 100)
        self._credited = self.now
        for release in self.controller.due(self.now, int(self._credit)):
            self._credit -= 1
            self.result.releases += 1
            delay = self._vary(0.012)
            self.at(self.now + delay, partial(self._let_go, release.queue_id))

    def _let_go(self, queue_id: str) -> None:
        mail = self._deferred.pop(queue_id, None)
        if mail is not None:
            self._activate(mail)
