"""One scenario of the proving ground, played once, with or without mxheed.

Contract: `play` builds a lab of its own, submits the mail, watches until everything is delivered,
bounced, or the time is up, and returns what happened as the receiver and Postfix's log saw it.
Failure: `LabError`.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.ground import Scenario
from bench.pacing_cpu import Cpu, used
from tests.lab import Lab, LabError, ReceiverView
from tests.lab.postfix import DEFAULT_FRAGMENTS, FEWER, FEWER_FRAGMENTS

__all__ = ["Outcome", "play"]

_FROM = re.compile(r"qmgr\[\d+\]: (\w+): from=<([^>]*)>")
_SENT = re.compile(r"smtp\[\d+\]: (\w+): to=<.*, delay=([0-9.]+), .*, status=sent ")
_STALLED = 10.0  # stock Postfix's next try is minutes away: no use in waiting for it


@dataclass(frozen=True)
class Outcome:
    """What became of the mail."""

    delivered: int
    seconds: float  # from the first submission to the last delivery
    median: float  # the same to half of the deliveries
    refusals: int  # recipients refused, or connections
    refused_messages: int  # transactions in which anything was refused, or connections
    connections: int
    transactions: int  # that were taken
    bounced: int  # recipients
    held: int  # log lines that only say our own gate held something
    submitting: float
    cpu: Cpu
    others: tuple[float, float] = (0.0, 0.0)  # delay of mail nobody blames: median, longest

    @property
    def connections_per_message(self) -> float:
        """Connections for each message that was taken."""
        return self.connections / self.transactions if self.transactions else 0.0

    @property
    def held_per_delivery(self) -> float:
        """Hold lines for each recipient that was delivered to."""
        return self.held / self.delivered if self.delivered else 0.0

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.delivered / self.seconds if self.seconds else 0.0


def play(scenario: Scenario, mxheed: bool) -> Outcome:
    """Play it."""
    with Lab("debian") as lab:
        _start(lab, scenario, mxheed)
        receiver = lab.receiver(
            scenario.name,
            domains=scenario.domains,
            latency=scenario.latency,
            tls=scenario.tls,
            **scenario.plays,
        )
        if scenario.backlog:
            lab.check("postconf", "-e", "defer_transports=smtp")
            lab.check("postfix", "reload")
        begin, before = time.time(), used(lab)
        accepted = lab.submit(scenario.mail, sender=scenario.senders)
        submitting = time.time() - begin
        if accepted != {"250": len(scenario.mail)}:
            raise LabError(f"{scenario.name}: Postfix answered {accepted}")
        if scenario.backlog:
            lab.check("postconf", "-e", "defer_transports=")
            lab.postfix.restart()  # a reload might lose the flush to the old queue manager
            begin, before = time.time(), used(lab)
            lab.check("postqueue", "-f")
        with contextlib.suppress(LabError):
            _wait(lab, receiver, scenario, scenario.seconds - submitting, patient=mxheed)
        cpu = used(lab).since(before)
        return _outcome(lab, scenario, receiver, begin, submitting, cpu)


def _start(lab: Lab, scenario: Scenario, mxheed: bool) -> None:
    fewer = scenario.fewer and mxheed
    fragments = DEFAULT_FRAGMENTS if mxheed else ()
    lab.postfix.configure(*fragments, *(FEWER_FRAGMENTS if fewer else ()))
    if mxheed:
        sizes = list(FEWER) if fewer else []
        submission = {"suspended": "dunno"}  # all mail is to be queued
        lab.mxheed.start({"serve": {"submission": submission, "recipient_limits": sizes}})
    lab.postfix.start()


def _wait(
    lab: Lab, receiver: ReceiverView, scenario: Scenario, seconds: float, *, patient: bool
) -> None:
    """Until all is done; who is not patient gives up when nothing moves any more."""
    progress = [0, time.time()]

    def finished() -> bool:
        done = len(receiver.taken()) + len(lab.postfix.deliveries("bounced"))
        if done > progress[0]:
            progress[:] = done, time.time()
        stalled = not patient and time.time() - progress[1] > _STALLED
        return stalled or done >= scenario.recipients

    lab.until(finished, "all delivered", seconds)


def _outcome(
    lab: Lab,
    scenario: Scenario,
    receiver: ReceiverView,
    begin: float,
    submitting: float,
    cpu: Cpu,
) -> Outcome:
    times = sorted(
        event["t"] - begin
        for event in receiver.events("data")
        if event["reply"] == "250" and event["sender"].endswith(scenario.blamed)
        for _ in event["recipients"]
    )
    others = _others(lab.postfix.log(), scenario.blamed)
    return Outcome(
        delivered=len(times),
        seconds=times[-1] if times else 0.0,
        median=statistics.median(times) if times else 0.0,
        refusals=len(receiver.refused()),
        refused_messages=_refused_messages(receiver),
        connections=receiver.connections(),
        transactions=sum(event["reply"] == "250" for event in receiver.events("data")),
        bounced=len(lab.postfix.deliveries("bounced")),
        held=sum("DNS reply filter drops" in line for line in lab.postfix.log()),
        submitting=submitting,
        cpu=cpu,
        others=(statistics.median(others), max(others)) if others else (0.0, 0.0),
    )


def _others(log: Sequence[str], blamed: str) -> list[float]:
    """How long each delivered message was in the queue, of senders that nobody blames."""
    senders: dict[str, str] = {}
    delays: list[float] = []
    for line in log if blamed else ():
        if found := _FROM.search(line):
            senders[found[1]] = found[2]
        elif (found := _SENT.search(line)) and not senders.get(found[1], blamed).endswith(blamed):
            delays.append(float(found[2]))
    return delays


def _refused_messages(receiver: ReceiverView) -> int:
    """Refused recipients of one transaction count once; the first has the number 1 there."""
    number: dict[int, int] = {}  # session → transactions begun
    refused: set[tuple[int, int]] = set()
    for event in receiver.events():
        session = event["session"]
        if event.get("nth") == 1:
            number[session] = number.get(session, 0) + 1
        if event.get("reply", "2")[0] in "45":
            refused.add((session, number.get(session, 0)))
    return len(refused)
