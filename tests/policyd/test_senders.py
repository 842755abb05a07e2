"""Reading senders off the queue manager's lines."""

from __future__ import annotations

import pytest

from policyd.senders import senders

LINES = b"""\
Nov 23 21:00:00 lab postfix/qmgr[302]: 4ABC12: from=<Alice@Shop.Example>, size=318, nrcpt=1 (queue active)
2026-11-23T21:00:00.123456+00:00 lab postfix-out/qmgr[302]: 4ABC13: from=<>, size=9, nrcpt=2 (queue active)
Nov 23 21:00:01 lab postfix/qmgr[302]: 4ABC12: removed
"""  # noqa: E501


def test_each_message_taken_up_tells_its_senders_domain() -> None:
    """Syslog and RFC 3339 stamps, several instances; bounces have no sender."""
    assert list(senders(LINES)) == [("4ABC12", "shop.example"), ("4ABC13", "")]


@pytest.mark.parametrize(
    "line",
    [
        b"Nov 23 21:00:00 lab postfix/smtp[7]: 4ABC12: to=<a@b.c>, status=deferred (450 "
        b"x/qmgr[1]: 4EEEEE: from=<evil@evil.example>, size=1)\n",
        b"Nov 23 21:00:00 lab postfix/cleanup[7]: 4ABC12: message-id=<x/qmgr[1]: 4EEEEE: "
        b"from=<evil@evil.example>, size=1>\n",
    ],
)
def test_remote_words_cannot_pose_as_the_queue_manager(line: bytes) -> None:
    """What a reply or a header quotes is not read."""
    assert list(senders(line)) == []
