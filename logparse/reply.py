"""Unfolds a remote reply as an MTA logs it into one line.

Contract: `unfold("550-5.7.1 first 550 5.7.1 second")` is ``"550 5.7.1 first second"``: the code and
the enhanced code stand once, at the front. A single-line reply, or a text that is no reply, comes
back as it is (without white space around it). A reply is unfolded only where its first line says
that more follow (``NNN-``); only the same code starts a new line, and the first ``NNN`` followed by
a space is the last line, so a later `` 550 `` stays text.
Failure: none. Time is linear in the length of the text.
"""

from __future__ import annotations

import re

__all__ = ["code_of", "unfold"]

_FIRST = re.compile(r"(\d{3})-(?:([245]\.\d{1,3}\.\d{1,3})(?=[\s]|$))?")
_CODE = re.compile(r"[2-5]\d\d(?=[ -]|$)")


def unfold(reply: str, joint: str = " ") -> str:
    """One line from a reply whose lines are joined by `joint`."""
    reply = reply.strip()
    first = _FIRST.match(reply)
    if first is None:
        return reply
    code, enhanced = first.groups()
    last = reply.find(f"{joint}{code} ", 4)
    if last < 0 and reply.endswith(f"{joint}{code}"):
        last = len(reply) - len(joint) - 3
    head = reply if last < 0 else reply[:last]
    lines = head[4:].split(f"{joint}{code}-")
    if last >= 0:
        lines.append(reply[last + len(joint) + 4 :])
    if enhanced:
        lines = [_bare(line, enhanced) for line in lines]
    words = " ".join(filter(None, map(str.strip, lines)))
    return " ".join(part for part in (code, enhanced, words) if part)


def code_of(reply: str) -> int | None:
    """The reply code at the front of a text; None: it is no reply."""
    match = _CODE.match(reply)
    return int(match[0]) if match else None


def _bare(line: str, enhanced: str) -> str:
    """A line without the enhanced code, if it is the first line's."""
    line = line.strip()
    if line.startswith(enhanced) and line[len(enhanced) :][:1] in ("", " "):
        return line[len(enhanced) :]
    return line
