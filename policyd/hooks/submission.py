"""Back-pressure where mail comes in: what the policy service says about one recipient or message.

Contract: `DUNNO` unless the recipient's receiver is suspended (`DEFER_IF_PERMIT 4.7.1 …;
retry=hh:mm:ss`) or closed to this class of mail by the configuration; never `OK`. A refusal is
given at RCPT, where it concerns one recipient. What touches the whole message (hold, filter) waits
for END-OF-MESSAGE, and is only done when every recipient of it was asked about on this connection
and is meant; mixed messages go through, and so do those with recipients nobody asked about.
Failure: a domain nobody knows yet is `DUNNO` (and looked up meanwhile); a handler that raises is
answered `DUNNO` by its socket.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.hooks.closedmail import ClosedClass, PolicyQuestion, compile_classes
from policyd.hooks.standing import Standing, Standings
from policyd.serve.policy import DUNNO, Request
from policyd.serve.session import Session
from policyd.serve.settings import SubmissionSettings
from policyd.settings.units import clock as hms

__all__ = ["Submission"]


class _Message:
    """The recipients of one message that were asked about on this connection."""

    __slots__ = ("action", "count", "instance", "mixed")

    def __init__(self, instance: bytes) -> None:
        self.instance = instance
        self.count = 0
        self.action: bytes | None = None
        self.mixed = False

    def add(self, action: bytes | None) -> None:
        """One recipient more and what is meant for it; different wishes make it mixed."""
        self.count += 1
        first = self.action is None and not self.mixed
        if action is None or not (first or action == self.action):
            self.mixed = True
        else:
            self.action = action

    def covers(self, request: Request) -> bool:
        """Whether no recipient that Postfix counts was left out (a Postfix before 2.3 counts 0)."""
        counted = request.get(b"recipient_count")
        return not counted.isdigit() or int(counted) <= self.count


class Submission:
    """The policy handler."""

    def __init__(
        self, settings: SubmissionSettings, standings: Standings, now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._standings = standings
        self._class_of = standings.mail_class
        self._now = now
        self._classes = compile_classes(settings.closed)
        self._any = bool(self._classes)
        self._pressure = ClosedClass.of_pressure(settings)

    def ask(self, request: Request, session: Session) -> bytes:
        """Answer one request."""
        raw = request.raw
        if b"\nprotocol_state=RCPT\n" in raw:
            return self._recipient(request, session)
        if b"\nprotocol_state=END-OF-MESSAGE\n" in raw:
            return self._message(request, session)
        return DUNNO

    def _recipient(self, request: Request, session: Session) -> bytes:
        address = request.get(b"recipient")
        domain = address.rpartition(b"@")[2].decode("utf-8", "replace").rstrip(".").lower()
        receiver = self._standings.receiver_of(domain) if domain else None
        if receiver is None:
            if self._classes.whole:
                self._remember(request, session, None)
            return DUNNO
        now = self._now()
        standing = self._standings.standing(receiver, now)
        said = PolicyQuestion(request, domain, receiver, standing.state, self._class_of)
        whole: bytes | None = None
        if self._any:
            found = self._classes.first(said)
            if self._classes.whole:
                whole = found.action if found is not None and found.whole else None
                self._remember(request, session, whole)
            if found is not None and not found.whole:
                return self._spelled(found.action, receiver, standing, now)
        if self._standings.blames and standing.state != "suspended":
            until = self._standings.blamed(said.sender_domain, receiver, now)
            if until > now:
                standing, said.state = Standing("suspended", until), "suspended"
        if standing.state != "suspended" or whole is not None or self._pressure is None:
            return DUNNO
        if not self._pressure.meets(said):
            return DUNNO
        return self._spelled(self._pressure.action, receiver, standing, now)

    def _remember(self, request: Request, session: Session, action: bytes | None) -> None:
        instance = request.get(b"instance")
        message = session.memory
        if not isinstance(message, _Message) or message.instance != instance:
            message = session.memory = _Message(instance)
        message.add(action)

    def _message(self, request: Request, session: Session) -> bytes:
        message = session.memory
        session.memory = None
        if not self._classes.whole:
            return DUNNO
        if not isinstance(message, _Message) or message.instance != request.get(b"instance"):
            return self._single(request)
        # a rule before ours may have let a recipient pass unasked; one after it, have refused some
        if message.mixed or message.action is None or not message.covers(request):
            return DUNNO
        return message.action

    def _single(self, request: Request) -> bytes:
        """Asked at END-OF-MESSAGE only: Postfix names the recipient when there is just one."""
        domain = request.get(b"recipient").rpartition(b"@")[2].decode("utf-8", "replace")
        receiver = self._standings.receiver_of(domain.rstrip(".").lower()) if domain else None
        if receiver is None:
            return DUNNO
        state = self._standings.standing(receiver, self._now()).state
        said = PolicyQuestion(request, domain.lower(), receiver, state, self._class_of)
        found = self._classes.first(said)
        return found.action if found is not None and found.whole else DUNNO

    def _spelled(self, action: bytes, receiver: str, standing: Standing, now: float) -> bytes:
        """An action's text with the receiver and the time to come back filled in."""
        if b"{" not in action:
            return action
        wait = min(max(standing.until - now, 1.0), self._settings.longest)
        retry = hms(wait if standing.state == "suspended" else self._settings.longest)
        return action.replace(b"{receiver}", _safe(receiver)).replace(b"{retry}", retry.encode())


def _safe(receiver: str) -> bytes:
    """A receiver's id may hold what a remote MX is called: printable ASCII only, and short."""
    kept = "".join(
        char for char in receiver if char.isascii() and (char.isalnum() or char in ":.-_")
    )
    return kept[:80].encode()
