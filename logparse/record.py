"""The shape of a Postfix delivery record, from the queue id to the text in parentheses.

A record is ``STAMP HOST PROGRAM[PID]: QID: to=<…>, …, status=WORD (TEXT``. Three places in it hold
text from outside: the two addresses and TEXT. Everything else is Postfix's, in a fixed order, so a
record is matched once, from the start of its line: frame, queue id, ``to=<``, the address to its
true end, the fields in order, the status. What stands in TEXT is never searched for fields.

The true end of an address: Postfix (3.5 and later) quotes a local part that needs it, so a ``>``
can only stand between quotes. An address is therefore a quoted string with its domain, or a text
without ``>``, ``<`` and quotes. An older Postfix, or ``info_log_address_format = internal``, prints
addresses unquoted: then the end is the one ``>`` after which a whole record follows; if there are
two such places the line is ambiguous, and saying so is better than a guess.

Contract: `RECORD` matches ordinary lines as they are, `SENT` the simplest ones with fewer groups,
`FRAMED_SENT` the same in a line `logparse.dull` found, and in no other;
`groups_of` reads all others from ``to=`` on; `seconds_of` is the value of a time.
Failure: none; `groups_of` gives None or words for what it cannot read. Time is linear.
"""

from __future__ import annotations

import re

from logparse.framing import MTA_FRAME
from logparse.shapes import LONG_ID, PROGRAM, QUEUE_ID, SHORT_ID, TO
from logparse.stamps import STAMP

__all__ = ["FRAMED_SENT", "RECIPIENT", "RECORD", "SENT", "groups_of", "seconds_of"]

RECIPIENT = len(TO) + 1  # bytes from the end of the queue id to the recipient: ": to=<"

_SECONDS = rb"([0-9.]{1,20}+)"
_DELAYS = rb"/".join([_SECONDS] * 4)

# groups: 1 stamp, 2 program, 3 pid, 4 queue id, 5 to, 6 orig_to, 7 relay, 8 conn_use, 9 delay,
# 10–13 delays, 14 dsn, 15 status, 16 text
RECORD = re.compile(
    MTA_FRAME + rb"(" + QUEUE_ID + rb")" + TO + rb'<([^<>"\n]*+)>(?:, orig_to=<([^<>"\n]*+)>)?+'
    rb", relay=([^,\n]*+)(?:, conn_use=(\d++))?+, delay=" + _SECONDS
    + rb", delays=" + _DELAYS + rb"(?:, tls=[^, \n]++)?+"
    rb", dsn=(\d\.\d{1,3}\.\d{1,3}), status=([A-Za-z-]++) \(([^\n]*+)"
)  # fmt: skip

# the most common record of all, for those who only count: mail accepted with a plain 250
# groups: 1 pid, 2 queue id, 3 relay, 4 delay, 5–8 delays, 9 reply
_TAKEN = (
    rb"\[([0-9]++)\]: (" + LONG_ID + rb"|" + SHORT_ID + rb")" + TO
    + rb'<[^<>"\n]*+>(?:, orig_to=<[^<>"\n]*+>)?+'
    rb", relay=([^,\n]++)(?:, conn_use=[0-9]++)?+, delay=" + _SECONDS
    + rb", delays=" + _DELAYS + rb"(?:, tls=[^, \n]++)?+"
    rb", dsn=2\.[0-9]{1,3}\.[0-9]{1,3}, status=sent \((250 [ -~]{0,999}[!-~])\)(?![^\n])"
)  # fmt: skip
SENT = re.compile(
    rb"(?:<[0-9]{1,3}>)?+(?:" + STAMP + rb") [^ \n]++(?<!:) " + PROGRAM + _TAKEN
)  # fmt: skip
# the same where the frame is known to be the usual one: no `[1]: ` stands before the process id's
FRAMED_SENT = re.compile(rb"[^[]++" + _TAKEN)

# the same as RECORD with quoted local parts, addresses without brackets and fields nobody knows yet
_ADDRESS = rb'"(?:[^"\\\n]|\\[^\n])*+"(?:@[^<>"\n]*+)?+|[^<>"\n]*+'
_BRACKETS = rb"(?:<(" + _ADDRESS + rb")>|([^<>\"\s,]++))"
_NEW = rb"(?:, (?!(?:orig_to|relay|conn_use|delays?|dsn|status)=)[a-z_]++=[^,\n]*+)*+"
_FIELDS = _NEW.join(
    (
        rb"",
        rb", relay=([^,\n]*+)",
        rb"(?:, conn_use=(\d++))?+",
        rb", delay=" + _SECONDS,
        rb", delays=" + _DELAYS,
        rb", dsn=(\d\.\d{1,3}\.\d{1,3})",
        rb", status=([A-Za-z-]++) \(([^\n]*+)",
    )
)
_TO = re.compile(TO[2:] + _BRACKETS + _NEW + rb"(?:, orig_to=" + _BRACKETS + rb")?+" + _FIELDS)
_REST = re.compile(rb">" + _FIELDS)
_ORIG = re.compile(rb">" + _NEW + rb", orig_to=<(" + _ADDRESS + rb")>" + _FIELDS)

_CANDIDATES = 64  # places where an unquoted address may end; nobody's real address has more


def seconds_of(text: bytes) -> float:
    """A time as logged; 0 for such as "1.2.3": no Postfix writes that, and it is worth no line."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def groups_of(line: bytes, at: int) -> list[bytes | None] | str:
    """The groups of `RECORD` from "to" on, for a record that is not ordinary; else why not."""
    match = _TO.match(line, at)
    if match is not None:
        to, bare_to, orig, bare_orig, *fields = match.groups()
        return [bare_to if to is None else to, bare_orig if orig is None else orig, *fields]
    if not line.startswith(TO[2:] + b"<", at):
        return "a delivery record of another form"
    return _loose(line, at + RECIPIENT - 2)


def _loose(line: bytes, begin: int) -> list[bytes | None] | str:
    """An address neither plain nor well quoted ends where exactly one record follows."""
    found: list[bytes | None] | None = None
    at = line.find(b">, ", begin)
    for _ in range(_CANDIDATES):
        if at < 0:
            return found or "a delivery record that breaks off or has another form"
        match = _REST.match(line, at) or _ORIG.match(line, at)
        if match is not None:
            if found is not None:
                return "the address may end in two places"
            orig = match[1] if match.re is _ORIG else None
            found = [line[begin:at], orig, *match.groups()[-11:]]
        at = line.find(b">, ", at + 1)
    return "the address has no clear end"
