"""Hazard: a line passed over because it looks like one that tells nothing."""

from __future__ import annotations

import pytest

from logparse.auto import AutoParser
from logparse.events import Delivery
from logparse.record import FRAMED_SENT, SENT

NOW = 1_770_100_000.0
HEAD = "Feb  3 04:05:06 mx1 postfix/qmgr[1]: 4bQXc95Pz3z2Kx: "
QUIET = f"{HEAD}from=<a@example.org>, size=1, nrcpt=1 (queue active)\n"
SENDERS = ("a@example.org", "", "a>, size=1, nrcpt=1 (queue active)", '"a>, size=1"@example.org')
RECORD = (
    "Feb  3 04:05:06 {host} postfix/smtp[7]: 4bQXc95Pz3z2Kx: to=<u@example.net>, relay=mx.example"
    "[192.0.2.1]:25, delay=1, delays=0.1/0/0.5/0.4, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
)


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("word", ["expired", "force-expired"])
def test_an_expiry_is_told_whatever_its_sender_looks_like(sender: str, word: str) -> None:
    """No sender's address, however it is written, hides that the message expired."""
    line = f"{HEAD}from=<{sender}>, status={word}, returned to sender\n"
    block = (QUIET + line + QUIET).encode()
    for lines in (block, block.rstrip(b"\n"), (QUIET + line).encode().rstrip(b"\n")):
        (event,) = AutoParser().feed(lines, NOW)
        assert isinstance(event, Delivery)
        assert event.outcome == "expired"


@pytest.mark.parametrize("host", ["mx1", "[::1]", "x[1]", "x[1]:y", "x[1]:"])
@pytest.mark.parametrize("tail", ["", "\n", "\nmore", "x", " \n"])
def test_the_short_form_of_a_record_takes_no_more_than_the_full_one(host: str, tail: str) -> None:
    """Where a frame is taken for granted, the same records match, with the same parts."""
    line = (RECORD.format(host=host) + tail).encode()
    short, full = FRAMED_SENT.match(line), SENT.match(line)
    if short is not None:
        assert full is not None
        assert (short.span(), short.groups()) == (full.span(), full.groups())
    if host == "mx1":
        assert (short is None) is (full is None) is (tail in ("x", " \n"))
