"""What Exim's own retry records keep from being tried, as far as its log tells.

A refusal at RCPT puts off that recipient; `exim -Mc` tries it all the same. One at the banner, at
MAIL or at the end of the data, and a connection that failed, put off the host or the message there
(`retry time not reached`), and only `exim -M` leads past such a record. A success deletes it.

Contract: pure. `note` takes each line that is no acceptance, `accepted` each that is; `blocks` says
whether a message for this receiver would not be tried if it were let go by `-Mc`.
Failure: none; what is forgotten costs a release that tries nothing, and its line tells it anew.
"""

from __future__ import annotations

from policyd.bounded import Bounded
from policyd.throttle.evidence import Evidence

__all__ = ["RetryRecords"]

_ECHO = "retry time not reached for any host"


class RetryRecords:
    """See the module."""

    def __init__(self) -> None:
        self._receivers: Bounded[str, bool] = Bounded(10_000)
        self._messages: Bounded[str, bool] = Bounded(50_000)

    def note(self, evidence: Evidence) -> None:
        """A line that is no acceptance."""
        if evidence.receiver == "unknown":
            return
        if evidence.outcome == "suspended":
            if evidence.reply.startswith(_ECHO):
                self._receivers[evidence.receiver] = True
        elif evidence.outcome in ("deferred", "tried") and evidence.host:
            if evidence.stage in ("mail", "data", "eod"):
                self._messages[evidence.queue_id] = True
            elif evidence.stage != "rcpt":
                self._receivers[evidence.receiver] = True

    def accepted(self, queue_id: str, receiver: str) -> None:
        """Mail was accepted there: the host's record is gone."""
        if self._receivers or self._messages:
            self._receivers.pop(receiver)
            self._messages.pop(queue_id)

    def blocks(self, queue_id: str, receiver: str) -> bool:
        """Whether an ordinary release would try nothing."""
        return receiver in self._receivers or queue_id in self._messages
