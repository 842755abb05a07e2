"""Each usual frame has a name that people know, and nothing else has one of these names."""

from __future__ import annotations

import pytest

from logparse.frame import frame_of

RECORD = b"3F2A1B4C5D: to=<u@example.net>, relay=none, delay=1, status=deferred (x)"
POSTFIX = b"postfix/smtp[7]: " + RECORD

NAMES = [
    (b"Feb  3 04:05:06 mx1 " + POSTFIX, "syslog (RFC 3164)"),
    (b"<22>Feb 13 04:05:06 mx1 " + POSTFIX, "syslog (RFC 3164)"),
    (b"2026-02-03T04:05:06.123456+01:00 mx1 " + POSTFIX, "syslog with RFC 3339 times"),
    (b"<22>1 2026-02-03T04:05:06Z mx1 postfix/smtp 7 - - " + RECORD, "RFC 5424"),
    (b'{"message":"x","time":1}', "JSON"),
    (b'  {"message":"x"}', "JSON"),
    (b"__REALTIME_TIMESTAMP=1795500000000000\n", "journal export"),
    (b"2026-02-03 04:05:06 1rEX4m-0000000Abcd-1234 => u@example.net R=r T=t", "Exim's own"),
    (b"2026-02-03 04:05:06 [411] 1rEX4m-000ABC-1c == u@example.net R=r", "Exim's own"),
    (b"2026-02-03T04:05:06.1Z stdout F " + POSTFIX, "Kubernetes"),
    (b'time="2026-02-03T04:05:06Z" level=info msg="x"', "logfmt"),
    (b"smtp-1  | " + POSTFIX, "another"),
    (b"\xef\xbb\xbfFeb  3 04:05:06 mx1 " + POSTFIX, "syslog (RFC 3164)"),
    (b"\0\0\0Feb  3 04:05:06 mx1 " + POSTFIX, "syslog (RFC 3164)"),
    (b"", ""),
    (b"\0\n", ""),
]


@pytest.mark.parametrize(("line", "name"), NAMES, ids=lambda value: repr(value)[:60])
def test_a_frame_has_its_name(line: bytes, name: str) -> None:
    """Byte order marks and the zeros of a crash are no frame."""
    assert frame_of(line) == name
