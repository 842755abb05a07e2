"""One scenario of the proving ground, played once, with or without mxheed.

Contract: `play` builds a lab of its own, submits the mail, watches until everything is delivered,
bounced, or the time is up, and returns what happened as the receiver and Postfix's log saw it.
Failure: `LabError`.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from bench.ground import Scenario
from tests.lab import Lab, LabError
from tests.lab.postfix import DEFAULT_FRAGMENTS, FEWER, FEWER_FRAGMENTS

__all__ = ["Outcome", "play"]

_STALLED = 20.0  # stock Postfix's next try is minutes away: no use in waiting for it


@dataclass(frozen=True)
class Outcome:
    """What became of the mail."""

    delivered: int
    seconds: float  # from the first submission to the last delivery
    refusals: int
    connections: int
    transactions: int
    bounced: int
    held: int  # log lines that only say our own gate held something
    submitting: float
    median: float  # delay of a delivery from its submission, median

    @property
    def connections_per_message(self) -> float:
        """Connections for each message that was taken."""
        return self.connections / self.transactions if self.transactions else 0.0


def play(scenario: Scenario, mxheed: bool) -> Outcome:
    """Play it."""
    with Lab("debian") as lab:
        fragments = (*DEFAULT_FRAGMENTS, *(FEWER_FRAGMENTS if scenario.fewer else ()))
        lab.postfix.configure(*(fragments if mxheed else ()))
        if mxheed:
            sizes = list(FEWER) if scenario.fewer else []
            lab.mxheed.start(
                {"serve": {"submission": {"suspended": "dunno"}, "recipient_limits": sizes}}
            )
        lab.postfix.start()
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
        begin = time.time()
        accepted = lab.submit(scenario.mail)
        submitting = time.time() - begin
        if scenario.backlog:
            lab.check("postconf", "-e", "defer_transports=")
            lab.postfix.restart()  # a reload might lose the flush to the old queue manager
            begin = time.time()
            lab.check("postqueue", "-f")
        if accepted != {"250": len(scenario.mail)}:
            raise LabError(f"{scenario.name}: Postfix answered {accepted}")

        progress = [0, time.time()]

        def finished() -> bool:
            done = len(receiver.taken()) + len(lab.postfix.deliveries("bounced"))
            if done > progress[0]:
                progress[:] = done, time.time()
            stalled = not mxheed and time.time() - progress[1] > _STALLED
            return stalled or done >= scenario.recipients

        with contextlib.suppress(LabError):
            lab.until(finished, "all delivered", scenario.seconds - submitting)
        times = sorted(
            event["t"] - begin
            for event in receiver.events("data")
            if event["reply"] == "250"
            for _ in event["recipients"]
        )
        return Outcome(
            delivered=len(times),
            seconds=times[-1] if times else 0.0,
            refusals=len(receiver.refused()),
            connections=receiver.connections(),
            transactions=len(receiver.events("data")),
            bounced=len(lab.postfix.deliveries("bounced")),
            held=sum("DNS reply filter drops" in line for line in lab.postfix.log()),
            submitting=submitting,
            median=times[len(times) // 2] if times else 0.0,
        )
