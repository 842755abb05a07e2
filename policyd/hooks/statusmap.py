"""The map `status`: what Postfix is about to conclude about a recipient, before it is logged.

Asked through `smtp_delivery_status_filter` with `D.S.N text` for each final verdict of smtp(8).

Contract: a remote 5yz that the rules know for a passing limit is answered as `4.S.N text`, so it
stays queued instead of bouncing; for at most `longest` per receiver and rule, since the question
names no message, and then again after a `quiet` time without it. Everything else is `NOTFOUND `.
`told` hears of each question, `accepted` and `refused` of what it says, so that the throttle learns
of it before the log does.
Failure: none of its own; a text that cannot be read is `NOTFOUND `. The table is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

from logparse.events import Stage
from logparse.reason import Relay, read
from policyd.serve.session import Session
from policyd.serve.settings import StatusSettings
from policyd.serve.socketmap import NOTFOUND
from rules.taxonomy import CATEGORIES
from rules.verdict import Verdict

__all__ = ["HeardRefusal", "StatusMap"]

_NOBODY = Relay()
_MOST_SPELLS = 4096
# these categories need the mail to be changed or resent; waiting does not help
_PATIENCE_HELPS = frozenset(
    name
    for name, category in CATEGORIES.items()
    if category.nature == "temporary" and category.stance in ("retry", "slow", "pause")
)


class ClassifyStatus(Protocol):
    """What judges a reply (`rules.Classifier.classify`)."""

    def __call__(
        self, reply: str, *, mx: str | None, receiver: str | None, stage: str | None, origin: str
    ) -> Verdict: ...


class HeardRefusal(NamedTuple):
    """One refusal as Postfix tells it, ahead of the log line."""

    time: float
    session: Session
    host: str | None
    receiver: str | None
    reply: str
    verdict: Verdict
    stage: Stage | None = None


class _Spell:
    """A time in which one receiver's rule was softened."""

    __slots__ = ("began", "last")

    def __init__(self, now: float) -> None:
        self.began = self.last = now


class StatusMap:
    """The handler, and how long each limit has been taken for one."""

    SAVED: ClassVar = [(str, str, float, float)]  # receiver, rule, began, last

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
    ) -> None:
        self._classify = classify
        self._receiver_of = receiver_of
        self._clock = clock
        self._settings = settings
        self._told = told
        self._accepted = accepted
        self._refused = refused
        self._spells: dict[tuple[str, str], _Spell] = {}

    def ask(self, key: bytes, session: Session, pool: str) -> bytes:
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
        host = reading.relay.host
        receiver = self._receiver_of(host) if host else None
        verdict = self._classify(
            reading.reply, mx=host, receiver=receiver, stage=reading.stage, origin=reading.origin
        )
        soft = (
            dsn[0] == "5" and reading.origin == "remote" and self._softens(receiver, verdict, now)
        )
        self._refused(
            HeardRefusal(now, session, host, receiver, reading.reply, verdict, reading.stage)
        )
        return b"OK 4" + key[1:] if soft else NOTFOUND

    def _softens(self, receiver: str | None, verdict: Verdict, now: float) -> bool:
        if not self._settings.enabled or verdict.rule is None or verdict.suppress:
            return False
        if verdict.stance == "stop" or verdict.category not in _PATIENCE_HELPS:
            return False
        spell = self._spell(receiver or "", verdict.rule, now)
        return now - spell.began <= self._settings.longest

    def _spell(self, receiver: str, rule: str, now: float) -> _Spell:
        key = (receiver, rule)
        spell = self._spells.pop(key, None)
        if spell is None or now - spell.last > self._settings.quiet:
            spell = _Spell(now)
            if len(self._spells) >= _MOST_SPELLS:
                del self._spells[next(iter(self._spells))]  # the one not used for longest
        spell.last = now
        self._spells[key] = spell
        return spell

    def snapshot(self) -> list[tuple[str, str, float, float]]:
        """What must survive a restart, or every restart would grant the whole time again."""
        return [(*key, spell.began, spell.last) for key, spell in self._spells.items()]

    def restore(self, rows: list[tuple[str, str, float, float]], shift: float = 0.0) -> None:
        """Take a snapshot back, its times moved by `shift`."""
        now = self._clock()
        for receiver, rule, began, last in rows[-_MOST_SPELLS:]:
            spell = self._spells[receiver, rule] = _Spell(min(began + shift, now))
            spell.last = min(last + shift, now)
