"""A line that looks like a delivery and cannot be read is heard of, and fills no other log."""

from __future__ import annotations

import logging

import pytest

from logparse.events import Unparsed
from policyd.counting.unread import Unread


def test_ever_fewer_of_them_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The first, the second, the fourth …; the last three are kept."""
    unread = Unread()
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            unread.take(Unparsed(b"line %d\x1b[2J\xff" % number, "why"))
    assert len(caplog.records) == 10
    assert "line 0?[2J\\xff" in caplog.text
    assert [sample[:8] for sample in unread.samples] == ["line 997", "line 998", "line 999"]
