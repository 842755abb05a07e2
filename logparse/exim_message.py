"""What the message at the end of an Exim delivery line says.

Contract: `read_message(text, number)` takes what follows the fields of a ``==``, ``**`` or host
line and tells whose words it is, at which stage, and the reply unfolded. The command a reply
answers may hold an address from outside: it is matched as a whole, quoted local parts included, so
that an address with ``: 550 …`` in it is not taken for a reply. Texts are looked at before Exim's
numbers, whose meaning has shifted between versions.
Failure: none; a text of no known form is our own MTA's words. Time is linear in its length.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logparse.events import Origin, Stage
from logparse.reply import unfold

__all__ = ["EximMessage", "is_given_up", "is_held", "is_no_attempt", "read_message"]

_ADDRESS = r'<(?:"(?:[^"\\]++|\\.)*+"|[^<>"]++)*+>'
_OPTIONS = r"(?: [A-Z]++(?:=[^ :]++)?)*+"
_COMMAND = (
    r"(initial connection|(?:EHLO|HELO|LHLO) [^ ]+?(?=: |\Z)|STARTTLS|TLS-on-connect"
    rf"|MAIL FROM:{_ADDRESS}{_OPTIONS}|RCPT TO:{_ADDRESS}{_OPTIONS}|DATA|BDAT \d++(?: LAST)?"
    r"|sending data block|end of data|QUIT|ATRN line turnaround|AUTH(?: [^:]*+)?|[EHL]HLO|HELO)"
)
_REPLY = re.compile(
    r"(?:SMTP error from remote mail(?: server|er)|LMTP error|PRDR error) after (?:pipelined )?"
    rf"{_COMMAND}: (?:host \S++ \[[^\]]*+\]: )?(\d{{3}}(?:[ -].*|\\n.*)?)\Z",
    re.DOTALL,
)
_LOST = re.compile(
    r"(?:SMTP timeout after|Remote host closed connection in response to"
    r"|Malformed SMTP reply(?: \(an empty line\))? in response to) (?:pipelined )?" + _COMMAND
)
# by a command's first word
_STAGES: dict[str, Stage] = {
    "initial": "connect",
    "EHLO": "helo",
    "HELO": "helo",
    "LHLO": "helo",
    "STARTTLS": "starttls",
    "TLS-on-connect": "starttls",
    "AUTH": "auth",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "data",
    "BDAT": "eod",
    "sending": "eod",
    "end": "eod",
}
_LOCAL_STAGES: tuple[tuple[str, Stage], ...] = (
    ("a TLS session is required", "starttls"),
    ("TLS ", "starttls"),
    ("DANE error", "starttls"),
    ("authentication required", "auth"),
)
_CONNECT = re.compile(
    r"(?:Connection (?:refused|timed out|reset by peer)|No route to host|Operation timed out"
    r"|Network is unreachable|Host is down|Cannot assign requested address)"
)
_NUMBERS: dict[int, Stage] = {-44: "rcpt", -45: "mail", -46: "eod"}

# nothing was tried: the host, the domain or the whole message waits for its time
_NO_ATTEMPT = re.compile(
    r"retry time not (?:yet )?reached|Retry time not yet reached|SMTP delivery explicitly queued"
    r"|first-pass only routing|remote delivery not attempted|local-only delivery"
    r"|domain is in queue_domains|concurrency limit reached for transport"
    r"|connection limit reached for all hosts|no host found for existing SMTP connection"
    r"|reusing SMTP connection skips previous routing defer"
)
_GIVEN_UP = re.compile(
    r"retry timeout exceeded\Z|all hosts (?:for '[^']*+' )?have been failing for a long time"
)


class EximMessage(NamedTuple):
    """What a text says."""

    origin: Origin
    stage: Stage | None
    reply: str


def read_message(text: str, number: int | None = None) -> EximMessage:
    """Reads a text; `number` is Exim's own, from ``defer (N)``."""
    match = _REPLY.match(text)
    if match is not None:
        return EximMessage("remote", _stage(match[1]), unfold(match[2], "\\n"))
    match = _LOST.match(text)
    if match is not None:
        return EximMessage("local", _stage(match[1]), text)
    if _CONNECT.match(text) is not None:
        return EximMessage("local", "connect", text)
    stage = next((name for words, name in _LOCAL_STAGES if text.startswith(words)), None)
    return EximMessage("local", stage or _NUMBERS.get(number or 0), text)


def is_no_attempt(text: str) -> bool:
    """Whether a deferral's text says that nothing was tried."""
    return _NO_ATTEMPT.match(text) is not None


def is_given_up(text: str) -> bool:
    """Whether a failure's text says that there was no attempt, only no more time."""
    return _GIVEN_UP.match(text) is not None


def is_held(text: str, number: int | None) -> bool:
    """Whether a deferral is a hold of our own: the domain is in ``hold_domains``."""
    return number == -23 or text == "domain is held"


def _stage(command: str) -> Stage | None:
    return _STAGES.get(command.partition(" ")[0])
