"""The map `status`: what Postfix is about to conclude about a recipient, before it is logged.

Asked through `smtp_delivery_status_filter` with `D.S.N text` for each final verdict of smtp(8).

Contract: a remote 5yz that the rules know for a passing limit or block is answered as
`4.S.N text`, so it stays queued instead of bouncing (`softening` says which and for how long; the
question names no message; `whose` tells its queue id, if it can), and so is a block of our IPv6
address where the message might have gone by IPv4 (`by_six`). Everything else is `NOTFOUND `.
`told` hears of each question, `accepted` and `refused` of what it says, so that the throttle learns
of it before the log does.
Failure: none of its own; a text that cannot be read is `NOTFOUND `. The table is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

from logparse.events import Stage
from logparse.reason import Relay, read
from policyd.hooks.softening import Softening, Stands
from policyd.serve.later import Later
from policyd.serve.session import Session
from policyd.serve.settings import StatusSettings
from policyd.serve.socketmap import NOTFOUND
from rules.verdict import Verdict

__all__ = ["HeardRefusal", "StatusMap"]

_NOBODY = Relay()


class ClassifyStatus(Protocol):
    """What judges a reply (`rules.Classifier.classify`)."""

    def __call__(
        self, reply: str, *, mx: str | None, receiver: str | None, stage: str | None, origin: str
    ) -> Verdict: ...


NamedFirst = Callable[[Session, Callable[[], bytes | Later]], bytes | Later]


class HeardRefusal(NamedTuple):
    """One refusal as Postfix tells it, ahead of the log line."""

    time: float
    session: Session
    host: str | None
    receiver: str | None
    reply: str
    verdict: Verdict
    stage: Stage | None = None
    queue_id: str | None = None  # where the verdict blames the sender's domain, and it is known
    address: str | None = None  # the host's


class StatusMap:
    """The handler."""

    SAVED: ClassVar = Softening.SAVED

    def __init__(
        self,
        classify: ClassifyStatus,
        receiver_of: Callable[[str], str],
        clock: Callable[[], float],
        settings: StatusSettings,
        *,
        told: Callable[[Session], None] = lambda session: None,
        accepted: Callable[[Session], None] = lambda session: None,
        refused: Callable[[HeardRefusal], None] = lambda heard: None,
        whose: Callable[[Session], str | None] = lambda session: None,
        named: NamedFirst = lambda session, answer: answer(),
        stands: Callable[[str], Stands] = lambda receiver: Stands(0, False),
        by_six: Callable[[Session, str, Verdict], bool] = lambda session, address, verdict: False,
    ) -> None:
        self._classify = classify
        self._receiver_of = receiver_of
        self._clock = clock
        self._softening = Softening(settings, stands)
        self._whose = whose
        self._named = named
        self._told = told
        self._accepted = accepted
        self._refused = refused
        self._by_six = by_six

    def ask(self, key: bytes, session: Session, pool: str) -> bytes | Later:
        """Answer one question of the status filter."""
        self._told(session)
        if key.startswith(b"2."):
            self._accepted(session)
            return NOTFOUND
        if not key.startswith((b"4.", b"5.")):
            return NOTFOUND
        dsn, _, text = key.decode("utf-8", "backslashreplace").partition(" ")
        now = self._clock()
        status = "bounced" if dsn[0] == "5" else "deferred"
        reading = read(status, dsn, text + ")", "smtp", _NOBODY, False)
        if reading.outcome == "held":
            return NOTFOUND  # our own gate's doing
        host, address, _ = reading.relay
        receiver = self._receiver_of(host) if host else None
        verdict = self._classify(
            reading.reply, mx=host, receiver=receiver, stage=reading.stage, origin=reading.origin
        )
        hard = dsn[0] == "5" and reading.origin == "remote"
        by_six = hard and self._by_six(session, address or "", verdict)

        def answer() -> bytes:
            soft = hard and self._softening.softens(
                receiver or "",
                verdict,
                reading.reply,
                lambda: self._whose(session),
                self._clock(),
                by_six=by_six,
            )
            return b"OK 4" + key[1:] if soft else NOTFOUND

        told = answer()
        queue_id = self._whose(session) if verdict.scope == "domain" else None
        self._refused(
            HeardRefusal(
                now,
                session,
                host,
                receiver,
                reading.reply,
                verdict,
                reading.stage,
                queue_id,
                address,
            )
        )
        waits = hard and self._softening.may_wait(verdict, reading.reply, by_six=by_six)
        if waits and told is NOTFOUND:
            return self._named(session, answer)  # nothing bounces before it is known
        return told

    def removed(self, queue_id: str) -> None:
        """This message left the queue."""
        self._softening.removed(queue_id)

    def snapshot(self) -> list[tuple[str, str, float, float]]:
        """What must survive a restart."""
        return self._softening.snapshot()

    def restore(self, rows: list[tuple[str, str, float, float]], shift: float = 0.0) -> None:
        """Take a snapshot back, its times moved by `shift`."""
        self._softening.restore(rows, shift, self._clock())
