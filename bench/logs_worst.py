"""Log lines that are made to be slow to read: 2,000 bytes full of what looks like fields.

Contract: `worst_case(kind)` gives such lines without end; `KINDS` names the kinds. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

__all__ = ["KINDS", "worst_case"]

_HEAD = "Nov  2 06:00:00 mx1 postfix/smtp[4711]: 3A5444167F: "
_FIELDS = ", relay=x[192.0.2.1]:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status="
_END = ", relay=mx.example[192.0.2.1]:25, delay=1, delays=1/1/1/1, dsn=4.2.0, status=deferred ("


def _fill(head: str, piece: str, tail: str = "") -> str:
    return head + piece * ((2000 - len(head) - len(tail)) // len(piece)) + tail


KINDS = {
    "false records in the reply": _fill(f"{_HEAD}to=<a@b.example>{_END}450 4.2.0 ", ": to=<x>, "),
    "false line heads in the reply": _fill(
        f"{_HEAD}to=<a@b.example>{_END}host mx.example[192.0.2.1] said: 450 ", f"{_HEAD}to=<x>, "
    ),
    "folded reply of many lines": _fill(
        f"{_HEAD}to=<a@b.example>{_END}host mx.example[192.0.2.1] said: ", "450-4.2.0 x "
    ),
    "nested notes on commands": _fill(
        f"{_HEAD}to=<a@b.example>{_END}host mx.example[192.0.2.1] said: 450 x",
        " (in reply to RCPT TO command)",
        ")",
    ),
    "ends of an address": _fill(f"{_HEAD}to=<a", f">{_FIELDS}", "x (250 ok)"),
    "almost ends of an address": _fill(f"{_HEAD}to=<", ">, relay=x, delay=1, delays=1/1/1/"),
    "unknown fields": _fill(f"{_HEAD}to=<a@b.example>", ", aa=b"),
    "open quotes": _fill(f'{_HEAD}to=<"', '\\"', ">"),
    "fields in another program's line": _fill(
        "Nov  2 06:00:00 mx1 postfix/cleanup[1]: 3A5444167F: info: header Subject: ", ": to=<x>"
    ),
    "unparsable records": _fill(f"{_HEAD}to=<a@b.example>, relay=x", ": to=<a>, relay=x"),
    "exim: open quotes": _fill(
        "2026-11-02 06:00:00 1xNl5M-8qlFURem51p-Ql0R => a@b.example R=r T=t C=\"", '\\"'
    ),
    "exim: fields": _fill("2026-11-02 06:00:00 1xNl5M-8qlFURem51p-Ql0R ** a@b.example", " R=r : "),
    "exim: quoted addresses": _fill(
        "2026-11-02 06:00:00 1xNl5M-8qlFURem51p-Ql0R == a", ' <"a"@b>', " defer (-1)"
    ),
    "exim: pipes": _fill("2026-11-02 06:00:00 1xNl5M-8qlFURem51p-Ql0R => |x", " <a"),
}  # fmt: skip


def worst_case(kind: str) -> Iterator[bytes]:
    """The same hostile line again and again."""
    return repeat(KINDS[kind].encode() + b"\n")
