"""A line of Postfix or Exim is never invisible, whatever frame it comes in; no other program's is.

A generated matrix: every frame of `tests.logparse.frames`, both mail systems, both line ends, and
logs of four zones. Each cell must give the same delivery at the same time.
"""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone

import pytest

from logparse.auto import AutoParser, recognise
from logparse.events import Delivery, Event, Unparsed
from tests.logparse.frames import FRAMES, TIME, UNDATED, UNREADABLE, Said

RECORD = (
    "3F2A1B4C5D: to=<u@example.net>, relay=mx.example.net[192.0.2.1]:25, delay=1, "
    "delays=0.1/0/0.5/0.4, dsn=4.7.1, status=deferred (host mx.example.net[192.0.2.1] said: 450 "
    "4.7.1 slow down (in reply to RCPT TO command))"
)
EXIM = (
    "1vQqXZ-00000000abc-0001 == u@example.net R=dnslookup T=remote_smtp defer (-44) "
    "H=mx.example.net [192.0.2.1]: SMTP error from remote mail server after "
    "RCPT TO:<u@example.net>: 450 4.7.1 slow down"
)
OURS = {"postfix": ("postfix/smtp", RECORD), "exim": ("exim", EXIM)}
OFFSETS = (0, 60, -300, 345)  # minutes
NOW = TIME + 3_000.0
ARRIVED = NOW


def read(line: str, offset: int = 0, end: str = "\n") -> list[Event]:
    parser = AutoParser(timezone(timedelta(minutes=offset)))
    return parser.feed(line.encode() + end.encode(), NOW)


def deliveries(events: list[Event]) -> list[Delivery]:
    return [event for event in events if isinstance(event, Delivery)]


@pytest.mark.parametrize("mta", OURS)
@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_gives_the_same_delivery(frame: str, mta: str) -> None:
    """Outcome, stage, reply, host and time come through every frame, line end and zone."""
    for offset in OFFSETS:
        line = FRAMES[frame](Said(OURS[mta][0], 4711, OURS[mta][1], offset))
        for end in ("\n", "\r\n"):
            (event,) = deliveries(read(line, offset, end))
            assert (event.outcome, event.stage, event.host) == (
                "deferred", "rcpt", "mx.example.net",
            )  # fmt: skip
            assert event.reply == "450 4.7.1 slow down"
            assert event.recipient == "u@example.net"
            when = ARRIVED if frame in UNDATED else TIME
            assert when <= event.time < when + 1, (line, event.time - when)


@pytest.mark.parametrize("mta", OURS)
@pytest.mark.parametrize("frame", UNREADABLE)
def test_a_frame_that_is_not_read_is_told(frame: str, mta: str) -> None:
    """Each delivery in it counts as unparsed, wherever in a block it stands."""
    other = "connect from unknown[192.0.2.9]"
    said = [Said(OURS[mta][0], 1, text) for text in (other, OURS[mta][1], other, OURS[mta][1])]
    events = read("\n".join(UNREADABLE[frame](one) for one in said))
    assert [type(event) for event in events] == [Unparsed, Unparsed]


@pytest.mark.parametrize("mta", OURS)
@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_is_read_beside_other_lines(frame: str, mta: str) -> None:
    """A delivery is found behind lines that tell nothing, as in a log."""
    other = "connect from unknown[192.0.2.9]"
    said = [Said(OURS[mta][0], 1, text) for text in (other, OURS[mta][1], other, OURS[mta][1])]
    events = read("\n".join(FRAMES[frame](one) for one in said))
    assert [event.outcome for event in deliveries(events)] == ["deferred", "deferred"]
    assert len(events) == 2


@pytest.mark.parametrize("frame", sorted(UNDATED))
def test_a_line_without_a_time_is_counted(frame: str) -> None:
    """It gets the time of the line before it, else of its arrival, and is told as undated."""
    parser = AutoParser(UTC)
    line = FRAMES[frame](Said("postfix/smtp", 1, RECORD)).encode() + b"\n"
    dated = FRAMES["rfc 3339"](Said("postfix/smtp", 1, RECORD)).encode() + b"\n"
    events = deliveries(parser.feed(line + dated + line, NOW))
    assert sorted(int(event.time) for event in events) == sorted((int(ARRIVED), TIME, TIME))
    assert parser.take_undated() == 2


QUOTED = f"postfix/smtp[1]: {RECORD}"
EXIM_QUOTED = f"2026-02-03 04:05:06 {EXIM}"
# what other programs write while they quote a text from outside
FOREIGN = {
    "sshd": Said("sshd", 77, "Invalid user {} from 203.0.113.9 port 22"),
    "dovecot": Said("dovecot", 78, "imap-login: Disconnected: user=<{}>, rip=203.0.113.9"),
    "sudo": Said("sudo", 79, "joe : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo {}"),
    "nginx": Said("nginx", 80, '203.0.113.9 - - [03/Feb/2026:04:05:06 +0000] "GET /{} HTTP/1.1"'),
    "a text of its own": Said("joe", 81, "{}"),
    "cron": Said("CRON", 82, "(joe) CMD (echo {})"),
    "cleanup": Said("postfix/cleanup", 83, "3A5444167F: info: header Subject: {} from x[::1]"),
    "smtpd": Said("postfix/smtpd", 84, "NOQUEUE: reject: RCPT from x[203.0.113.9]: 450 helo=<{}>"),
    "smtp": Said("postfix/smtp", 85, "warning: 3A5444167F: non-ESMTP response from mx: {}"),
}  # fmt: skip


@pytest.mark.parametrize("program", FOREIGN)
@pytest.mark.parametrize("frame", FRAMES)
def test_no_other_program_tells_a_delivery(frame: str, program: str) -> None:
    """A whole record quoted by another program, or in another place, gives none in any frame."""
    said = FOREIGN[program]
    for text in (QUOTED, RECORD, EXIM_QUOTED, EXIM, f"exim[9]: {EXIM_QUOTED}"):
        line = FRAMES[frame](said._replace(text=said.text.format(text)))
        assert deliveries(read(line)) == [], line


ACCESS = (
    '203.0.113.9 - - [03/Feb/2026:04:05:06 +0000] "GET /{} HTTP/1.1" 404 9 "-" "{}"',
    "2026/02/03 04:05:06 [error] 77#77: *1 open() \"/var/www/{}\" failed",
    "[Tue Feb 03 04:05:06.123 2026] [core:error] [pid 7:tid 1] [client 203.0.113.9:1] {}",
    "Feb 03 04:05:06 imap-login: Info: Aborted login (auth failed): user=<{}>",
    "2026-02-03 04:05:06 dovecot_login authenticator failed for ({}) [203.0.113.9]: 535",
    "Feb  3 04:05:06 : joe : TTY=pts/0 ; COMMAND=/bin/echo {}",
    "2026-02-03 04:05:06 H=({}) [203.0.113.9] F=<a@b> rejected RCPT <c@d>: no",
    "Invalid user {} from 203.0.113.9",
    '{{"time":"2026-02-03T04:05:06Z","uri":"{0}","user_agent":"{0}","msg":"GET"}}',
)  # fmt: skip
OUTER = ("bare line", "docker compose", "kubernetes", "docker logs -t")


@pytest.mark.parametrize("line", ACCESS)
def test_no_log_of_another_kind_tells_a_delivery(line: str) -> None:
    """Web servers, logins and applications in the same stream are not taken for a mail system."""
    stamp = "2026-02-03T04:05:06.1Z"
    for text in (QUOTED, RECORD, EXIM_QUOTED, EXIM):
        whole = line.format(text, text)
        log = json.dumps({"log": whole + "\n", "stream": "stdout", "time": stamp})
        for wrapped in (whole, f"web-1  | {whole}", f"{stamp} stdout F {whole}", log):
            assert deliveries(read(wrapped)) == [], wrapped


@pytest.mark.parametrize(
    "line",
    [
        f"heute mx1 postfix/smtp[1]: {RECORD}",
        f"mx1 postfix/smtp[1]: {RECORD}",
        f"    MESSAGE={RECORD}",
        f"Feb  3 04:05:06 mx1 {RECORD}",
        f"heute {EXIM_QUOTED}",
    ],
)
def test_what_cannot_be_read_is_loud(line: str) -> None:
    """A delivery in a frame nobody knows is unparsed, with the line as a sample."""
    (event,) = read(line)
    assert isinstance(event, Unparsed)
    assert event.line == line.encode()


def test_marks_before_a_line_hide_nothing() -> None:
    """A byte order mark, or the zeros a crashed file system leaves, cost no line."""
    good = FRAMES["rfc 3164"](Said("postfix/smtp", 1, RECORD)).encode() + b"\n"
    for before in (b"\xef\xbb\xbf", b"\0" * 4096):
        assert len(deliveries(AutoParser(UTC).feed(before + good + before + good, NOW))) == 2


@pytest.mark.parametrize("mta", OURS)
@pytest.mark.parametrize("frame", FRAMES)
def test_the_search_for_a_log_knows_every_frame(frame: str, mta: str) -> None:
    """`auto` and the report's verdict "this is no mail log" come from the parser itself."""
    line = FRAMES[frame](Said(OURS[mta][0], 1, OURS[mta][1]))
    assert recognise(line.encode() + b"\n", NOW) == 1
    other = FRAMES[frame](Said("sshd", 1, "Invalid user joe"))
    assert recognise(other.encode() + b"\n", NOW) == 0


@pytest.mark.parametrize("program", ["mta1/smtp", "postfix-out/relay/smtp", "postfix@-.service"])
def test_any_name_of_the_service_is_known(program: str) -> None:
    """syslog_name may be anything; journalctl -o with-unit gives the unit instead."""
    for frame in FRAMES:
        (event,) = deliveries(read(FRAMES[frame](Said(program, 1, RECORD))))
        assert event.agent == "smtp"
