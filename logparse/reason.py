"""What the text in parentheses at the end of a Postfix delivery record says.

Contract: `read(...)` takes the raw text after ``status=WORD (`` and returns a `Statement`: how the
attempt ended, whose words they are, at which stage, whom they concern. Every pattern is anchored at
the front of the text, where Postfix itself writes; what a remote server said is only looked at
after Postfix's own ``said: ``. The stage is Postfix's ``(in reply to … command)`` at the very end.
Failure: none; a text of no known form is our own MTA's words (origin "local", no reply code).
Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logparse.events import Origin, Outcome, Stage, number_of
from logparse.reply import code_of, unfold

__all__ = ["LOCAL_AGENTS", "Relay", "Statement", "read", "relay_of"]

# agents that talk to no server: whatever their text looks like, it is not a remote reply
LOCAL_AGENTS = frozenset({"local", "virtual", "pipe", "discard", "cleanup", "bounce"})

_OUTCOMES: dict[str, Outcome] = {
    "sent": "sent",
    "deferred": "deferred",
    "bounced": "bounced",
    "SOFTBOUNCE": "deferred",
    "expired": "expired",
    "deliverable": "probe",
    "undeliverable": "probe",
    "undeliverable-but-not-cached": "probe",
}
_CLASSES: dict[str, Outcome] = {"2": "sent", "4": "deferred", "5": "bounced"}

_SUSPENDED = "delivery temporarily suspended: "
_PROTOCOL = "Protocol error: "
_LOOKUP = "Error looking up name="
_HELD = re.compile(
    _LOOKUP + r"\S+ type=\S+: "
    r"(?:DNS reply filter drops all results|Invalid DNS reply filter syntax)"
)
_PEER = r"([^\s\[\]]+)\[([^\[\]]*)\]"
_SAID = re.compile(rf"host {_PEER} (said|refused to talk to me): ")
_TLS = re.compile(
    rf"(?:TLS is required|Sender requested REQUIRETLS), but host {_PEER} refused to start TLS: "
)
_AUTH = re.compile(
    r"SASL (?:\[CACHED\] )?authentication failed; server ([^\s\[\]]+)(?:\[([^\]]*)\])? said: "
)
_IN_REPLY_CUT = re.compile(r" \((?:i|in|in [a-zA-Z ]{0,40})?\Z")
_CONNECT = re.compile(rf"connect to {_PEER}(?::(\d+))?: ")
_LOST = re.compile(rf"(?:lost connection with|conversation with) {_PEER} (?:timed out )?while (.*)")
_PEER_AFTER = re.compile(rf"(?:server|host|with) {_PEER}(?:[: ]|\Z)")

_COMMANDS: dict[str, Stage] = {
    "MAIL FROM": "mail",
    "RCPT TO": "rcpt",
    "DATA": "data",
    "end of DATA": "eod",
}
_STATES: tuple[tuple[str, Stage], ...] = (
    ("receiving the initial server greeting", "connect"),
    ("performing the", "helo"),
    ("receiving the STARTTLS response", "starttls"),
    ("sending XFORWARD", "helo"),
    ("sending MAIL FROM", "mail"),
    ("sending RCPT TO", "rcpt"),
    ("sending DATA command", "data"),
    ("sending message body", "eod"),
    ("sending end of data", "eod"),
)
_LOCAL_STAGES: tuple[tuple[str, Stage], ...] = (
    ("TLS is required", "starttls"),
    ("Sender requested REQUIRETLS", "starttls"),
    ("Cannot start TLS", "starttls"),
    ("Server certificate not", "starttls"),
    ("client TLS configuration problem", "starttls"),
    ("unexpected server message", "starttls"),
    ("SASL authentication failed", "auth"),
    ("message size ", "mail"),
    ("SMTPUTF8 is required", "mail"),
)


class Relay(NamedTuple):
    """The other side of a session, as far as it is known."""

    host: str | None = None
    address: str | None = None
    port: int | None = None


class Statement(NamedTuple):
    """What a text says."""

    outcome: Outcome
    origin: Origin
    stage: Stage | None
    relay: Relay
    reply: str
    cut: bool


_RELAY = re.compile(r"([^\[\]]+)\[([^\]]*)\](?::(\d+))?\Z")
_NOBODY = Relay()


def relay_of(relay: str) -> Relay:
    """The value of a ``relay=`` field; nobody for ``none`` and for local agents' names."""
    match = _RELAY.match(relay)
    if match is None:
        return _NOBODY
    return _relay(match[1], match[2], match[3])


def read(status: str, dsn: str, text: str, agent: str, relay: Relay, cut: bool) -> Statement:
    """Reads the text after the opening parenthesis; `cut`: the record is known to be cut short."""
    if not cut:
        if text[-1:] == ")":
            text = text[:-1]
        else:
            cut = True
    outcome = _OUTCOMES.get(status) or _CLASSES.get(dsn[:1], "deferred")
    if outcome == "sent":
        return _sent(text, agent, relay, cut)
    if outcome == "deferred":
        if text.startswith(_SUSPENDED):
            outcome, text = "suspended", text[len(_SUSPENDED) :]
        if text.startswith(_LOOKUP) and _HELD.fullmatch(text):
            outcome = "held"
    text = text.removeprefix(_PROTOCOL)
    if agent not in LOCAL_AGENTS:
        remote = _remote(outcome, text, relay, cut)
        if remote is not None:
            return remote
    return _own_words(outcome, text, relay, cut)


def _sent(text: str, agent: str, relay: Relay, cut: bool) -> Statement:
    if agent not in LOCAL_AGENTS and relay.host is not None:
        if text[:4] == "250 ":
            return Statement("sent", "remote", "eod", relay, text.strip(), cut)
        if code_of(text) is not None:
            return Statement("sent", "remote", "eod", relay, unfold(text), cut)
    return Statement("sent", "local", None, relay, text, cut)


def _remote(outcome: Outcome, text: str, relay: Relay, cut: bool) -> Statement | None:
    stage: Stage | None
    if (said := _SAID.match(text)) is not None:
        reply, stage = text[said.end() :], "connect"
        if said[3] == "said":
            reply, stage = _commanded(reply, cut)
    elif (said := _TLS.match(text)) is not None:
        reply, stage = text[said.end() :], "starttls"
    elif (said := _AUTH.match(text)) is not None:
        reply, stage = text[said.end() :], "auth"
        if f"?{reply[:3]}" in reply:  # here Postfix logs line breaks as they are: "?" in the log
            reply = unfold(reply, "?")
    else:
        return None
    if said[1] == relay.host and said[2] in (relay.address, None):
        return Statement(outcome, "remote", stage, relay, unfold(reply), cut)
    found = _relay(said[1], said[2], None)
    if found.host == relay.host and found.address in (relay.address, None):
        found = relay  # which knows the port
    return Statement(outcome, "remote", stage, found, unfold(reply), cut)


def _commanded(reply: str, cut: bool) -> tuple[str, Stage | None]:
    """A reply without Postfix's note on the command it answers, and the command's stage."""
    if reply.endswith(" command)"):
        at = reply.rfind(" (in reply to ")
        stage = _COMMANDS.get(reply[at + 14 : -9]) if at >= 0 else None
        if stage is not None:
            return reply[:at], stage
    if cut and (match := _IN_REPLY_CUT.search(reply, max(0, len(reply) - 60))) is not None:
        return reply[: match.start()], None
    return reply, None


def _own_words(outcome: Outcome, text: str, relay: Relay, cut: bool) -> Statement:
    stage: Stage | None = None
    if (match := _CONNECT.match(text)) is not None:
        return Statement(
            outcome, "local", "connect", _relay(match[1], match[2], match[3]), text, cut
        )
    if (match := _LOST.match(text)) is not None:
        stage = next((name for state, name in _STATES if match[3].startswith(state)), None)
    else:
        stage = next((name for words, name in _LOCAL_STAGES if text.startswith(words)), None)
        match = _PEER_AFTER.search(text) if relay.host is None and stage is not None else None
    if relay.host is None and match is not None:
        relay = _relay(match[1], match[2], None)
    return Statement(outcome, "local", stage, relay, text, cut)


def _relay(host: str, address: str | None, port: str | None) -> Relay:
    return Relay(host.lower().rstrip("."), address or None, number_of(port) if port else None)
