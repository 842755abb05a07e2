"""What a receiver said to a message that waits in the queue, read as its log line would have been.

After a restart the log is behind us: only the queue still tells why its messages were put off.
Contract: `told` reads the reason Postfix keeps for a recipient; None unless they are a remote
server's own words (an echo of them counts). What is blamed by them is the controller's to say.
Failure: none. Reasons are a stranger's text: they are cut, and read from Postfix's own front on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from logparse.reason import Relay, read
from policyd.throttle.book.dispatch import PutOff, Queued
from policyd.throttle.evidence import Evidence, from_status
from rules.verdict import Verdict

__all__ = ["Told", "reader"]

_LONGEST = 2000  # characters of a reason
_NOBODY = Relay()

Told = Callable[[Queued, PutOff, float], Evidence | None]


class ClassifyPutOff(Protocol):
    """What judges a reply (`rules.Classifier.classify`)."""

    def __call__(
        self, reply: str, *, mx: str | None, receiver: str | None, stage: str | None, origin: str
    ) -> Verdict: ...


def reader(classify: ClassifyPutOff, receiver_of: Callable[[str], str]) -> Told:
    """Reads by these rules; `receiver_of` knows hosts."""

    def told(queued: Queued, put_off: PutOff, now: float) -> Evidence | None:
        text = put_off.reason[:_LONGEST]
        reading = read("deferred", "4.0.0", text + ")", "smtp", _NOBODY, False)
        host = reading.relay.host
        if reading.origin != "remote" or reading.outcome == "held" or not host:
            return None
        receiver = receiver_of(host)
        verdict = classify(
            reading.reply, mx=host, receiver=receiver, stage=reading.stage, origin="remote"
        )
        return from_status(now, host, reading.reply, verdict, receiver)._replace(
            queue_id=queued.queue_id,
            domain=put_off.domain,
            sender=queued.sender,
            arrived=queued.arrived,
        )

    return told
