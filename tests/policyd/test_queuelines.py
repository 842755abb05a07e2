"""Reading the queue manager's lines: who sends, and what is gone."""

from __future__ import annotations

import pytest

from policyd.counting.queuelines import queue_lines

LINES = b"""\
Nov 23 21:00:00 lab postfix/qmgr[302]: 4ABC12: from=<Alice@Shop.Example>, size=318, nrcpt=1 (queue active)
2026-11-23T21:00:00.123456+00:00 lab postfix-out/qmgr[302]: 4ABC13: from=<>, size=9, nrcpt=2 (queue active)
Nov 23 21:00:01 lab postfix/qmgr[302]: 4ABC12: removed
Nov 23 21:00:01 lab postfix/postsuper[309]: 4ABC13: removed
"""  # noqa: E501


def test_each_message_tells_its_senders_domain_and_its_end() -> None:
    """Syslog and RFC 3339 stamps, several instances; bounces have no sender."""
    assert list(queue_lines(LINES)) == [
        ("4ABC12", "shop.example"),
        ("4ABC13", ""),
        ("4ABC12", None),
        ("4ABC13", None),
    ]


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
    assert list(queue_lines(line)) == []
