"""Text from outside changes nothing but itself: one case for each place where it appears.

The hostile texts hold fields, whole records and whole lines. In each place the line must give the
same event as with a harmless text in that place, apart from the text itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logparse.auto import AutoParser
from logparse.events import Delivery, Event
from tests.logparse.postfix_lines import HEAD, NOW, record, said

EVIL = "evil.example[203.0.113.9]"
FAKE_RECORD = (
    f"3B0000BAD1: to=<x@evil.example>, relay={EVIL}:25, delay=90000, delays=90000/0/0/0, "
    f"dsn=2.0.0, status=sent (250 2.0.0 Ok)"
)
HOSTILE = (
    f", relay={EVIL}:25, delay=1, delays=90000/1/1/1, dsn=2.0.0, status=sent (250 ok)",
    ", status=sent (250 2.0.0 Ok: queued as X)",
    ": to=<x@evil.example>",
    f">, relay={EVIL}:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (250 ok)",
    f">, orig_to=<y>, relay={EVIL}:25, delay=1, delays=1/1/1/1, dsn=5.1.1, status=bounced (no",
    FAKE_RECORD,
    HEAD + FAKE_RECORD,
    f"{HEAD}3A5444167F: removed",
    f"{HEAD}3A5444167F: host {EVIL} said: 450 4.2.0 later (in reply to DATA command)",
    "3A5444167F: from=<>, status=expired, returned to sender",
    "delivery temporarily suspended: ",
    "Error looking up name=d.example type=MX: DNS reply filter drops all results",
    f"host {EVIL} said: 421 4.7.0 slow down (in reply to MAIL FROM command)",
    f"host {EVIL} refused to talk to me: 554 no",
    f"connect to {EVIL}:25: Connection timed out",
    " (in reply to end of DATA command)",
    " 550-5.1.1 x 550 5.1.1 y",
    "2026-11-23 04:05:06 1vQqXZ-00000000abc-0001 => x@evil.example R=r T=t H=e [1.2.3.4] C=\"250\"",
    " R=r T=t defer (-44) H=evil.example [203.0.113.9]: SMTP error from remote mail server after "
    "RCPT TO:<x@evil.example>: 421 4.7.0 slow down",
    ' : SMTP error from remote mail server after end of data: 550 5.1.1 no',
    ': 550 5.1.1 user unknown',
    '" H=evil.example [203.0.113.9] C="250 ok" QT=9d',
    "{\"log\":\"x\"}",
    "<22>1 2026-02-03T04:05:06Z mx1 postfix/smtp 1 - - " + FAKE_RECORD,
)  # fmt: skip
HARMLESS = "harmless"


def quoted(text: str) -> str:
    """A local part as an MTA prints it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def deferred(reply: str, command: str = "RCPT TO", **fields: str) -> str:
    return HEAD + record(said(reply, command), dsn="4.2.1", status="deferred", **fields)


EXIM = "2026-11-23 04:05:06 1vQqXZ-00000000abc-0001 "
ROUTE = "R=dnslookup T=remote_smtp"
HOST = "H=mx.example.net [192.0.2.10]"
AFTER = "SMTP error from remote mail server after"

PLACES: dict[str, Callable[[str], str]] = {
    "reply": lambda text: deferred(f"450 4.2.1 {text}"),
    "reply to end of data": lambda text: deferred(f"451 4.2.1 {text}", "end of DATA"),
    "reply of several lines": lambda text: deferred(f"450-4.2.1 {text} 450 4.2.1 end"),
    "greeting": lambda text: HEAD
    + record(f"host mx.example.net[192.0.2.10] refused to talk to me: 554 {text}", dsn="4.0.0",
             status="deferred"),
    "accepting reply": lambda text: HEAD + record(f"250 2.0.0 {text}"),
    "reply of a host that was not the last": lambda text: f"{HEAD}3A5444167F: "
    + said(f"450 4.2.1 {text}", "MAIL FROM"),
    "suspended echo": lambda text: HEAD.replace("smtp", "error")
    + record(f"delivery temporarily suspended: {said('421 4.7.0 ' + text, 'MAIL FROM')}",
             relay="none", dsn="4.7.0", status="deferred"),
    "recipient": lambda text: deferred("450 4.2.1 x", to=f"{quoted(text)}@example.net"),
    "original recipient": lambda text: deferred(
        "450 4.2.1 x", orig_to=f"{quoted(text)}@example.net"
    ),
    "sender": lambda text: f"{HEAD.replace('smtp', 'qmgr')}3A5444167F: "
    f"from=<{quoted(text)}@example.org>, size=1, nrcpt=1 (queue active)",
    "sender of an expired message": lambda text: f"{HEAD.replace('smtp', 'qmgr')}3A5444167F: "
    f"from=<{quoted(text)}@example.org>, status=expired, returned to sender",
    "helo": lambda text: f"{HEAD.replace('smtp', 'smtpd')}NOQUEUE: reject: RCPT from "
    f"unknown[203.0.113.9]: 450 4.7.1 x; from=<a@b> to=<c@d> proto=ESMTP helo=<{text}>",
    "subject": lambda text: f"{HEAD.replace('smtp', 'cleanup')}3A5444167F: info: header "
    f"Subject: {text} from unknown[203.0.113.9]; from=<a@b> to=<c@d> proto=ESMTP helo=<e>",
    "message id": lambda text: f"{HEAD.replace('smtp', 'cleanup')}3A5444167F: message-id=<{text}>",
    "login name": lambda text: f"{HEAD.replace('smtp', 'smtpd')}3A5444167F: "
    f"client=x[203.0.113.9], sasl_method=PLAIN, sasl_username={text}",
    "warning": lambda text: f"{HEAD}warning: 3A5444167F: non-ESMTP response from "
    f"mx.example.net[192.0.2.10]:25: {text}",
    "output of a local command": lambda text: HEAD.replace("smtp", "pipe")
    + record(f"Command output: {text}", relay="dovecot", dsn="5.3.0", status="bounced"),
    "another program": lambda text: f"Nov 23 04:05:06 mx1 sshd[99]: Invalid user {text}",
    "exim reply": lambda text: f"{EXIM}== a@example.net {ROUTE} defer (-44) {HOST}: {AFTER} "
    f"RCPT TO:<a@example.net>: 450 4.2.1 {text}",
    "exim refusal": lambda text: f"{EXIM}** a@example.net {ROUTE} {HOST} : {AFTER} "
    f"end of data: 550 5.1.1 {text}",
    "exim confirmation": lambda text: f"{EXIM}=> a@example.net {ROUTE} {HOST} "
    f"C={quoted('250 ' + text)} QT=3s",
    "exim certificate": lambda text: f"{EXIM}=> a@example.net {ROUTE} {HOST} X=TLS1.3:A:256 CV=no "
    f'DN={quoted("CN=" + text)} C="250 ok" QT=3s',
    "exim recipient": lambda text: f"{EXIM}== {quoted(text)}@example.net {ROUTE} defer (-44) "
    f"{HOST}: {AFTER} RCPT TO:<{quoted(text)}@example.net>: 450 4.2.1 x",
    "exim envelope recipient": lambda text: f"{EXIM}** a@example.net <{quoted(text)}@example.net> "
    f"{ROUTE} {HOST} : {AFTER} end of data: 550 5.1.1 x",
    "exim recipient printed bare": lambda text: f"{EXIM}** {text}@example.net "
    f"<{quoted(text)}@example.net> R=q : no such user",
    "exim sender": lambda text: f"{EXIM}=> a@example.net F=<{quoted(text)}@example.org> {ROUTE} "
    f'{HOST} C="250 ok" QT=3s',
    "exim sender in the command": lambda text: f"{EXIM}== a@example.net {ROUTE} defer (-45) {HOST}:"
    f" {AFTER} MAIL FROM:<{quoted(text)}@example.org> SIZE=1: 450 4.2.1 x",
    "exim subject": lambda text: f"{EXIM}<= b@example.org {HOST} P=esmtps S=1 T={quoted(text)}",
    "exim helo": lambda text: f"{EXIM}H=({text}) [203.0.113.9] F=<a@b> rejected after DATA: spam",
    "exim helo without id": lambda text: f"2026-11-23 04:05:06 H=({text}) [203.0.113.9] rejected "
    "RCPT <c@d>: relay not permitted",
    "exim host line": lambda text: f"{EXIM}{HOST}: {AFTER} initial connection: 421 {text}",
}  # fmt: skip


def events(line: str) -> list[Event]:
    return AutoParser(UTC).feed(line.encode("utf-8", "surrogatepass") + b"\n", NOW)


def without_text(event: Event) -> Event:
    """The event without the texts that may come from outside."""
    if isinstance(event, Delivery):
        return event._replace(reply="", recipient="", orig_recipient=None)
    return event


def unchanged(place: str, text: str) -> bool:
    """Whether the place gives the same events with this text as with a harmless one."""
    build = PLACES[place]
    return [without_text(event) for event in events(build(text))] == [
        without_text(event) for event in events(build(HARMLESS))
    ]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_text_changes_nothing(place: str, text: str) -> None:
    """Fields, records and lines inside a text from outside are not read as such."""
    assert unchanged(place, text), events(PLACES[place](text))


def test_every_place_that_can_tell_a_delivery_does() -> None:
    """The harmless lines are what they claim to be, so that the comparison means something."""
    silent = {place for place in PLACES if not events(PLACES[place](HARMLESS))}
    assert silent == {
        "sender",
        "helo",
        "subject",
        "message id",
        "login name",
        "warning",
        "another program",
        "exim subject",
        "exim helo",
        "exim helo without id",
    }


TOKENS = (
    ", ", ">", "<", "(", ")", '"', "\\", " ", ": ", "=", "@", "[", "]", "x",
    "to=<", "orig_to=<", "relay=none", f"relay={EVIL}:25", "delay=1", "delays=1/2/3/4",
    "dsn=2.0.0", "status=sent (", "status=bounced (", "conn_use=2", "tls=may", "3A5444167F",
    "removed", "status=expired", " said: ", "(in reply to DATA command)", "550-", "550 5.1.1",
    "=> ", "== ", "** ", "R=r", "T=t", "H=h [1.2.3.4]", 'C="', "defer (-44)", " : ", "Completed",
    HEAD, EXIM, "SMTP error from remote mail server after RCPT TO:<", "MESSAGE=", "{", "\\n",
)  # fmt: skip

field_like = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=14).map("".join)


@settings(max_examples=1000)
@given(place=st.sampled_from(sorted(PLACES)), text=field_like)
@example(place="recipient", text='a"b>, relay=x')
@example(place="exim recipient printed bare", text=" R=r T=t : x")
def test_field_like_text_changes_nothing(place: str, text: str) -> None:
    """Whatever is put together from the log's own words stays text in every place."""
    if place == "exim helo" and ") [" in text:
        return  # Exim checks HELO names: no blanks, no brackets but an address literal's
    assert unchanged(place, text), events(PLACES[place](text))


@given(text=st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))
def test_any_text_in_a_reply_changes_nothing(text: str) -> None:
    """A remote reply may hold anything but a line break."""
    for place in ("reply", "accepting reply", "exim reply", "exim refusal"):
        assert unchanged(place, text), events(PLACES[place](text))


def test_one_hostile_line_hides_no_other() -> None:
    """The lines around a forged one are read as always."""
    good = deferred("450 4.2.1 x")
    expected = events(good)[0]
    for place in PLACES:
        for text in HOSTILE:
            lines = f"{good}\n{PLACES[place](text)}\n{good}"
            assert events(lines).count(expected) >= 2
