"""Every kind of line of Exim's main log becomes the right value."""

from __future__ import annotations

import json
from datetime import UTC

import pytest

from logparse.events import Delivery, Event, Outcome, Removed, Unparsed
from logparse.exim import EximParser
from tests.logparse.postfix_lines import NOW

ID = "1vQqXZ-00000000abc-0001"
OLD_ID = "1vQqXZ-0000ab-01"
DAY = "2026-11-23 04:05:06"
TIME = 1_795_406_706.0
HOST = "H=mx.example.net [192.0.2.10]"
ROUTE = "R=dnslookup T=remote_smtp"
REPLY = "SMTP error from remote mail server after RCPT TO:<ann@example.net>: 450 4.2.1 later"


def events(*lines: str) -> list[Event]:
    return EximParser(UTC).feed("".join(f"{line}\n" for line in lines).encode(), NOW)


def the_delivery(text: str, head: str = f"{DAY} {ID} ") -> Delivery:
    (event,) = events(head + text)
    assert isinstance(event, Delivery), event
    return event


def test_all_fields_of_a_delivery() -> None:
    """A delivery with every field letter gives every field of the value."""
    found = the_delivery(
        "=> ann@example.net <a.list@example.org> F=<bo@example.org> Q=bulk P=<bo@example.org> "
        f"{ROUTE} S=1234 H=MX.example.net DS [2001:db8::10]:25* PRX=[192.0.2.9]:1 "
        "I=[192.0.2.1]:9 TFO* PS=x X=TLS1.3:TLS_AES_256_GCM_SHA384:256* CV=dane "
        'DN="C=UK,O=\\"x\\" R=y" A=plain:id L* PRDR K DKIM=example.org '
        'C="250-first\\\\n250 \\"second\\"" QT=1d2h3m4.5s DT=0.3s'
    )
    assert found == Delivery(
        time=TIME,
        mta="exim",
        service="exim",
        agent="remote_smtp",
        queue_id=ID,
        recipient="ann@example.net",
        orig_recipient="a.list@example.org",
        host="mx.example.net",
        address="2001:db8::10",
        port=25,
        conn_use=2,
        delay=93784.5,
        delays=None,
        dsn="",
        status="=>",
        outcome="sent",
        origin="remote",
        stage="eod",
        reply='250 first "second"',
    )


@pytest.mark.parametrize(
    ("head", "time", "pid"),
    [
        (f"{DAY} {ID} ", TIME, 0),
        (f"{DAY} {OLD_ID} ", TIME, 0),
        (f"{DAY}.250 {ID} ", TIME + 0.25, 0),
        (f"{DAY} +0100 {ID} ", TIME - 3600, 0),
        (f"{DAY}.250 -0330 [1237] {ID} ", TIME + 12600.25, 1237),
        (f"{DAY} [1237] {OLD_ID} ", TIME, 1237),
        (f"Nov 23 04:05:06 mx1 exim[77]: {DAY} {ID} ", TIME, 77),
        (f"Nov 23 04:05:06 mx1 exim4[77]: {ID} ", TIME, 77),
        (f"2026-11-23T05:05:06+01:00 mx1 exim[77]: {ID} ", TIME, 77),
    ],
)
def test_frames(head: str, time: float, pid: int) -> None:
    """Milliseconds, zone, process id and syslog around the line are all optional."""
    found = the_delivery(f'=> ann@example.net {ROUTE} {HOST} C="250 ok"', head)
    assert (found.time, found.pid, found.outcome) == (time, pid, "sent")
    assert found.queue_id in (ID, OLD_ID)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f'=> a@example.net {ROUTE} {HOST} C="250 ok"', "sent"),
        (f'-> a@example.net {ROUTE} {HOST} C="250 ok"', "sent"),
        (f'>> a@example.net {ROUTE} {HOST} C="250 ok"', "sent"),
        (f'*> a@example.net {ROUTE} {HOST} C="delivery bypassed by -N option"', "probe"),
        (f'*> a@example.net {ROUTE} {HOST}:-1 C="delivery bypassed by -N option"', "probe"),
        (f"== a@example.net {ROUTE} defer (-44) {HOST}: {REPLY}", "deferred"),
        (f"** a@example.net {ROUTE} {HOST} : {REPLY}", "bounced"),
        (f"== a@example.net {ROUTE} defer (-54): retry time not reached for any host", "suspended"),
        ("== a@example.net routing defer (-52): retry time not reached", "suspended"),
        ("== a@example.net routing defer (-51): retry time not reached", "suspended"),
        ("== a@example.net routing defer (-52): something else", "deferred"),
        (f"== a@example.net {ROUTE} defer (0): SMTP delivery explicitly queued", "suspended"),
        ("== a@example.net defer (-23): domain is held", "held"),
        ("** a@example.net: retry timeout exceeded", "expired"),
        (f"** a@example.net {ROUTE}: all hosts for 'example.net' have been failing for a long time "
         "and were last tried after this message arrived", "expired"),
        ("** a@example.net : Unrouteable address", "bounced"),
        ("=> :blackhole: <a@example.net> R=drop", "sent"),
        ("=> blackhole (DATA ACL discarded recipients): spam", "sent"),
    ],
)  # fmt: skip
def test_outcomes(text: str, outcome: Outcome) -> None:
    """Each mark and text has its outcome; what was not tried is no refusal."""
    assert the_delivery(text).outcome == outcome


@pytest.mark.parametrize(
    ("command", "stage"),
    [
        ("initial connection", "connect"),
        ("EHLO mx1.example", "helo"),
        ("HELO mx1.example", "helo"),
        ("LHLO mx1.example", "helo"),
        ("STARTTLS", "starttls"),
        ("pipelined MAIL FROM:<bo@example.org> SIZE=1234", "mail"),
        ("MAIL FROM:<>", "mail"),
        ("RCPT TO:<ann@example.net>", "rcpt"),
        ("pipelined DATA", "data"),
        ("BDAT 99 LAST", "eod"),
        ("sending data block", "eod"),
        ("end of data", "eod"),
    ],
)
@pytest.mark.parametrize("server", ["", "host mx.example.net [192.0.2.10]: "])
def test_stages(command: str, stage: str, server: str) -> None:
    """The command a reply answers is its stage, in old and new words."""
    text = f"SMTP error from remote mail server after {command}: {server}421-4.7.0 a\\n421 4.7.0 b"
    found = the_delivery(f"== ann@example.net {ROUTE} defer (-45) {HOST}: {text}")
    assert (found.origin, found.stage, found.reply) == ("remote", stage, "421 4.7.0 a b")


@pytest.mark.parametrize("separator", [" : ", ": "])
@pytest.mark.parametrize("fields", [f"{ROUTE} {HOST}", f"{ROUTE} {HOST} X=TLS1.3:A:256 CV=yes"])
def test_both_separators_of_failures(separator: str, fields: str) -> None:
    """The message of a failure follows " : " since 4.99 and ": " before."""
    text = "SMTP error from remote mail server after RCPT TO:<ann@example.net>: 550 5.1.1 no: never"
    found = the_delivery(f"** ann@example.net {fields}{separator}{text}")
    assert (found.reply, found.stage, found.host) == (
        "550 5.1.1 no: never",
        "rcpt",
        "mx.example.net",
    )


@pytest.mark.parametrize("words", ["LMTP error after", "PRDR error after"])
def test_lmtp_and_prdr(words: str) -> None:
    """Other protocols' errors are remote replies too."""
    found = the_delivery(f"** ann@example.net {ROUTE} {HOST} : {words} DATA: 550 no")
    assert (found.origin, found.reply) == ("remote", "550 no")


def test_our_own_words_get_no_reply() -> None:
    """A timeout is local, at the stage it happened; the system's error stays in the words."""
    found = the_delivery(
        f"== ann@example.net {ROUTE} defer (110): Connection timed out {HOST} DT=5s: "
        "SMTP timeout after end of data (1024 bytes written)"
    )
    assert (found.origin, found.stage, found.host) == ("local", "eod", "mx.example.net")
    assert found.reply == "SMTP timeout after end of data (1024 bytes written)"


def test_a_further_recipient_of_a_timeout_gets_the_host_of_the_line_before() -> None:
    """Exim names the host for one recipient of a transaction only."""
    text = "SMTP timeout after RCPT TO:<bo@example.net>"
    _, second = events(
        f"{DAY} {ID} == bo@example.net {ROUTE} defer (110): Connection timed out {HOST}: {text}",
        f"{DAY} {ID} == ann@example.net {ROUTE} defer (110): Connection timed out DT=2s: {text}",
    )
    assert isinstance(second, Delivery)
    assert (second.host, second.stage, second.reply) == ("mx.example.net", "rcpt", text)


@pytest.mark.parametrize("separator", [" : ", ": "])
def test_the_time_behind_a_failure_is_no_part_of_the_reply(separator: str) -> None:
    """With +deliver_time the time taken stands behind the remote side's words."""
    text = "SMTP error from remote mail server after RCPT TO:<ann@example.net>: 550 5.1.1 no"
    found = the_delivery(f"** ann@example.net {ROUTE} {HOST}{separator}{text} DT=1m2.5s")
    assert found.reply == "550 5.1.1 no"
    found = the_delivery(f"** ann@example.net{separator}Unrouteable address DT=0.000s")
    assert found.reply == "Unrouteable address"


def test_a_failed_connection_gets_the_host_of_the_line_before() -> None:
    """A deferral without host is about the host that was just refused for this message."""
    first, second = events(
        f"{DAY} {ID} {HOST}:25 Connection refused",
        f"{DAY} {ID} == ann@example.net {ROUTE} defer (111): Connection refused",
    )
    assert isinstance(first, Delivery)
    assert isinstance(second, Delivery)
    assert (first.outcome, first.recipient, first.stage) == ("tried", "", "connect")
    assert (second.outcome, second.host, second.address) == (
        "deferred",
        "mx.example.net",
        "192.0.2.10",
    )
    assert first.reply == second.reply == "Connection refused"


@pytest.mark.parametrize(
    "text",
    [
        f"{HOST}: {REPLY}",
        f"{HOST} {REPLY}",
        f"{HOST}: SMTP timeout after EHLO mx1.example: Connection timed out",
        f"{HOST} No route to host",
        f"{HOST}: a TLS session is required, but an attempt to start TLS failed",
    ],
)
def test_single_hosts_refusals(text: str) -> None:
    """A line on one host is told without a recipient."""
    assert the_delivery(text).outcome == "tried"


@pytest.mark.parametrize(
    "text",
    [
        f"{HOST} F=<x@y.example> rejected after DATA: {REPLY}",
        "H=mail.example (SMTP error from remote) [203.0.113.9] F=<x@y.example> rejected",
        f"{HOST} Warning: SMTP error from remote mail server after RCPT TO:<a@b>: 450 x",
        f'<= bo@example.org {HOST} P=esmtps S=1 id=x T="=> a@b R=x T=y H=z [1.2.3.4]"',
        "Message is frozen",
        f"TLS session: (certificate invalid): delivering unencrypted to {HOST}",
        f'event msg:fail:delivery data "** a@b {HOST} : {REPLY}"',
        "Spool file is locked (another process is handling this message)",
        "Completedly something else",
    ],
)
def test_other_lines_tell_nothing(text: str) -> None:
    """Arrivals, incoming connections, warnings and hooks are no deliveries."""
    assert events(f"{DAY} {ID} {text}") == []
    assert events(f"{DAY} {text}") == []


@pytest.mark.parametrize(
    "text",
    [
        "H=[192.0.2.10] [192.0.2.10] Connection refused",
        f'=> ann@[192.0.2.10] {ROUTE} H=[192.0.2.10] [192.0.2.10] C="250 ok"',
        f"== ann@[192.0.2.10] {ROUTE} defer (-44) H=[192.0.2.10] [192.0.2.10]: {REPLY}",
    ],
)
def test_an_address_instead_of_a_domain(text: str) -> None:
    """Mail to an address literal names the host in brackets."""
    found = the_delivery(text)
    assert (found.host, found.address) == ("192.0.2.10", "192.0.2.10")


def test_completed() -> None:
    """The end of a message, with and without its time in the queue."""
    assert (
        events(f"{DAY} {ID} Completed", f"{DAY} {ID} Completed QT=3s")
        == [Removed(TIME, "exim", ID)] * 2
    )


@pytest.mark.parametrize(
    ("address", "recipient", "top"),
    [
        ("ann@example.net", "ann@example.net", None),
        ("ann <Ann@example.net>", "ann", "Ann@example.net"),
        ("ann@x.example (list@x.example, all@x.example) <top@x.example>", "ann@x.example",
         "top@x.example"),
        ('"a b"@x.example', '"a b"@x.example', None),
        ('"a R=b T=c: "@x.example', '"a R=b T=c: "@x.example', None),
        ('a b (c)@x.example <"a b (c)"@x.example>', "a b (c)@x.example", '"a b (c)"@x.example'),
        ("a b@x.example <many@x.example>", "a b@x.example", "many@x.example"),
        ("ann@[IPv6:2001:db8::1]", "ann@[IPv6:2001:db8::1]", None),
        ("|/usr/bin/filter -x 'a <b> c' <ann@x.example>", "|/usr/bin/filter -x 'a <b> c'",
         "ann@x.example"),
        ("/var/mail/ann <ann@x.example>", "/var/mail/ann", "ann@x.example"),
        ("føø@x.example", "føø@x.example", None),
    ],
)  # fmt: skip
def test_addresses(address: str, recipient: str, top: str | None) -> None:
    """Addresses, their parents, pipes and files end where they end."""
    for text in (
        f'=> {address} {ROUTE} {HOST} C="250 ok"',
        f"== {address} {ROUTE} defer (-44) {HOST}: {REPLY}",
        f"** {address} {ROUTE} {HOST} : {REPLY}",
        f"** {address} : Unrouteable address",
    ):
        found = the_delivery(text)
        assert (found.recipient, found.orig_recipient) == (recipient, top), text


def test_the_delay_is_told_by_the_message_id() -> None:
    """Without QT= the time since the id was made is the delay."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    seconds, made = int(TIME) - 4711, ""
    for _ in range(6):
        seconds, digit = divmod(seconds, 62)
        made = digits[digit] + made
    text = f'=> a@example.net {ROUTE} {HOST} C="250 ok"'
    assert the_delivery(text, f"{DAY} {made}-00000000abc-0001 ").delay == 4711.0
    assert the_delivery(text, f"{DAY} zzzzzz-00000000abc-0001 ").delay == 0.0


def test_long_lines_come_through_syslog_in_pieces() -> None:
    """Pieces of one process are joined; another process may write between them."""
    text = f"** ann@example.net {ROUTE} {HOST} : {REPLY}"
    head = "Nov 23 04:05:06 mx1 exim"
    lines = (
        f"{head}[7]: [1\\3] {DAY} {ID} {text[:30]}",
        f"{head}[8]: [1/2] {DAY} {OLD_ID} Completed",
        f"{head}[7]: [2\\3] {text[30:60]}",
        f"{head}[7]: [3\\3] {text[60:]}",
    )
    assert events(*lines) == [the_delivery(text)._replace(pid=7)]
    first = EximParser(UTC)
    assert first.feed("\n".join(lines[:3]).encode(), NOW) == []
    second = EximParser(UTC)
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert len(second.feed(lines[3].encode(), NOW)) == 1


@pytest.mark.parametrize("lines", [("[2/2] x",), ("[1/3] x", "[3/3] y"), ("[1/2] x", "[1/2] y")])
def test_pieces_that_do_not_fit_are_dropped(lines: tuple[str, ...]) -> None:
    """Half a line is no line."""
    head = "Nov 23 04:05:06 mx1 exim[7]: "
    assert events(*[head + line for line in lines]) == []


@pytest.mark.parametrize(
    "text", ["== ann@example.net R=x gone", "=> ann@example.net ?", "**", "=="]
)
def test_delivery_lines_of_another_form_are_counted(text: str) -> None:
    """A line with a delivery's mark that cannot be read becomes `Unparsed`."""
    (event,) = events(f"{DAY} {ID} {text}")
    assert isinstance(event, Unparsed)
