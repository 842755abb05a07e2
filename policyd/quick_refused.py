"""The short cut for refused recipients when nobody listens: from a line's match to counters.

Most refusals are one shape: a host we know refuses one recipient. Then the reply stands between
Postfix's words, which follow from the relay, and its note on the command. It is a reply of its own
in any case, so no transaction has to be looked at, and no value is built.

Contract: `postfix(match)` counts a match of `logparse.record.RECORD` with the numbers
`policyd.pipeline` would get by way of the value (a test holds both to it), and gives the receiver.
None, and nothing counted: the line has another shape, or `learn` was not told of the relay.
Failure: none of its own; what `classify` raises comes through.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from logparse.events import Outcome, text_of
from logparse.framing import program_of
from logparse.postfix import RECLEN
from logparse.reason import LOCAL_AGENTS, relay_of
from logparse.reply import unfold
from policyd.counters import Counters
from policyd.quick import Delays
from rules.verdict import Verdict

__all__ = ["Classify", "QuickRefused"]

_CACHED = 16_384
_RELAY = re.compile(rb"([!-Z\\^-~]+\[[!-Z\\^-~]+\]):\d+")
_RCPT = b" (in reply to RCPT TO command))"
_OUTCOMES: dict[bytes, Outcome] = {b"deferred": "deferred", b"bounced": "bounced"}


class Classify(Protocol):
    """What judges a reply (`rules.Classifier.classify`)."""

    def __call__(
        self,
        reply: str,
        *,
        mx: str | None = None,
        receiver: str | None = None,
        stage: str | None = None,
        origin: str | None = "remote",
        dsn: str | None = None,
    ) -> Verdict: ...


class _Peer(NamedTuple):
    said: bytes  # Postfix's words in front of a reply
    host: str | None
    receiver: str
    known: str | None  # the receiver, if rules may know it


class QuickRefused:
    """See the module."""

    def __init__(self, counters: Counters, delays: Delays) -> None:
        self._counters = counters
        self._delays = delays
        self._peers: dict[bytes, _Peer] = {}

    def learn(self, relay: bytes, receiver: str, known: str | None) -> None:
        """Remembers who is behind a relay's text."""
        peer = _RELAY.fullmatch(relay)
        if peer is not None:
            if len(self._peers) >= _CACHED:
                self.forget()
            host = relay_of(text_of(relay)).host
            self._peers[relay] = _Peer(b"host %b said: " % peer[1], host, receiver, known)

    def forget(self) -> None:
        """Knows no relay any more."""
        self._peers.clear()

    def postfix(self, match: re.Match[bytes], classify: Classify) -> str | None:
        """Counts a record; see the module."""
        peer = self._peers.get(match[7])
        if peer is None:
            return None
        total, a, b, c, d, dsn, status, text = match.groups()[8:]
        outcome = _OUTCOMES.get(status)
        if (
            outcome is None
            or not text.startswith(peer.said)
            or not text.endswith(_RCPT)
            or match.end() - match.start(4) >= RECLEN
            or program_of(match[2])[1] in LOCAL_AGENTS
        ):
            return None
        row = self._counters.tally(peer.receiver)
        row.add_outcome(outcome)
        row.dirty = True
        known, delays = self._delays, row.delays
        delays[0] += known[a]
        delays[1] += known[b]
        delays[2] += known[c]
        delays[3] += known[d]
        delays[4] += known[total]
        reply = unfold(text_of(text[len(peer.said) : -len(_RCPT)]))
        verdict = classify(
            reply,
            mx=peer.host,
            receiver=peer.known,
            stage="rcpt",
            origin="remote",
            dsn=text_of(dsn),
        )
        row.add_reply(verdict.category, "rcpt")
        if verdict.category == "unknown":
            row.unclassified += 1
        return peer.receiver
