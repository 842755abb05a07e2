"""What is said to Postfix's flush(8): one request to let a message go, one answer.

Attributes are names and values that end with a NUL, a list of them ends with one more. The form is
Postfix's own affair: the same from 3.6 to 3.12, promised by nobody. So only the very bytes that are
known count as an answer.

Contract: pure. `request` makes the question; `status` reads what has arrived until now, and is None
while more must come. What it takes is bounded by the longest right answer.
Failure: `UnexpectedAnswer`, at the first byte that is not as it should be.
"""

from __future__ import annotations

import re

from policyd.errors import MxheedError

__all__ = ["DONE", "UnexpectedAnswer", "request", "status"]

DONE = 0
_FRONT = b"protocol\0queue_flush_protocol\0\0status\0"
_NUMBER = re.compile(rb"[0-9]{1,5}\0\0")
_BEGUN = re.compile(rb"[0-9]{0,5}|[0-9]{1,5}\0")
_SHOWN = 80  # bytes of a wrong answer


class UnexpectedAnswer(MxheedError):
    """An answer that is none."""


def request(queue_id: str) -> bytes:
    """The question that lets a deferred message go."""
    return b"request\0send_file\0queue_id\0%b\0\0" % queue_id.encode("ascii")


def status(received: bytes) -> int | None:
    """The number that was answered; None: not all of it has arrived."""
    head, number = received[: len(_FRONT)], received[len(_FRONT) :]
    if not _FRONT.startswith(head):
        raise UnexpectedAnswer(f"answered {head[:_SHOWN]!r}")
    if _NUMBER.fullmatch(number):
        return int(number[:-2])
    if not _BEGUN.fullmatch(number):
        raise UnexpectedAnswer(f"answered status {number[:_SHOWN]!r}")
    return None
