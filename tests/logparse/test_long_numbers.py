"""Numbers of any length: Python refuses to read more than 4,300 digits, a log may hold them."""

from __future__ import annotations

from typing import Any

import pytest

from logparse.auto import AutoParser
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from rules import Classifier, load

NOW = 1_793_600_000.0
LONG = b"9" * 5000
POSTFIX = (
    b"2026-11-02T06:00:00.000000+00:00 mx postfix/smtp[PID]: 4ABCDEF123: to=<a@b.example>, "
    b"relay=mx.b.example[192.0.2.4]:PORT, conn_use=USE, delay=1, delays=0/0/0/1, STATUS\n"
)
SENT = b"dsn=2.0.0, status=sent (250 ok)"
LATER = (
    b"dsn=4.0.0, status=deferred (host mx.b.example[192.0.2.4] said: 451 later "
    b"(in reply to RCPT TO command))"
)
EXIM = b"2026-11-02 06:00:00 [PID] 1abcde-000000-AA => a@b.example H=mx.b.example [192.0.2.4]:PORT "
JOURNAL = (
    b'{"MESSAGE":"4ABCDEF123: to=<a@b.example>, relay=mx.b.example[192.0.2.4]:25, delay=1, '
    b'delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)","SYSLOG_IDENTIFIER":"postfix/smtp",'
    b'"__REALTIME_TIMESTAMP":"STAMP","SYSLOG_PID":"PID"}\n'
)
RFC_5424 = (
    b"<22>1 2026-11-02T06:00:00.000000+00:00 mx postfix/smtp PID - - 4ABCDEF123: to=<a@b.example>, "
    b"relay=mx.b.example[192.0.2.4]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
)
PLAIN = {b"PID": b"7", b"PORT": b"25", b"USE": b"2", b"STAMP": b"1793600000000000"}
LINES = [
    *[(POSTFIX.replace(b"STATUS", end), field) for end in (SENT, LATER) for field in
      (b"PID", b"PORT", b"USE")],
    *[(EXIM + b'C="250 ok"\n', field) for field in (b"PID", b"PORT")],
    *[(JOURNAL, field) for field in (b"PID", b"STAMP")],
    (RFC_5424, b"PID"),
]  # fmt: skip
CLASSIFIER = Classifier(load())


def written(line: bytes, long: bytes) -> bytes:
    """The line with one of its numbers far too long."""
    for field, number in PLAIN.items():
        line = line.replace(field, LONG if field == long else number)
    return line


def pipeline(**callbacks: Any) -> Pipeline:
    """The whole way of a line; everything is one receiver's."""
    return Pipeline(
        CLASSIFIER.classify, lambda host, address, domain: "mx:b.example", Counters(), **callbacks
    )


@pytest.mark.parametrize(("line", "field"), LINES)
def test_a_long_number_is_no_exception(line: bytes, field: bytes) -> None:
    """Parsed alone, and counted by the long and the short way: once, or as not understood."""
    bad, good = written(line, field), written(line, b"")
    assert len(list(AutoParser().feed(good + bad, NOW))) == 2
    for callbacks in ({}, {"on_attempt": lambda *told: None, "sent": True}):
        way = pipeline(**callbacks)
        for block in (good, good + bad, bad):
            way.process(block, NOW)
        (tally,) = way.counters.tallies.values()
        assert sum(count for _, count in tally.all_outcomes()) + way.counters.unparsed == 4
