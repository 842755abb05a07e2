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
    lines: list[str] = []
    rest = reply
    while rest.startswith(f"{code}-"):
        line, found, tail = _split(rest, code, joint)
        lines.append(_bare(line, enhanced))
        if not found:
            rest = ""
            break
        rest = tail
    if rest:
        lines.append(_bare(rest, enhanced))
    words = " ".join(line for line in lines if line)
    return " ".join(part for part in (code, enhanced, words) if part)


def code_of(reply: str) -> int | None:
    """The reply code at the front of a text; None: it is no reply."""
    match = _CODE.match(reply)
    return int(match[0]) if match else None


def _split(rest: str, code: str, joint: str) -> tuple[str, bool, str]:
    """The first line of `rest`, whether another one follows, and what follows."""
    more = rest.find(f"{joint}{code}-", 4)
    last = rest.find(f"{joint}{code} ", 4, more if more >= 0 else len(rest))
    if last < 0 and more < 0 and rest.endswith(f"{joint}{code}"):
        last = len(rest) - len(joint) - 3
    at = more if last < 0 else last
    if at < 0:
        return rest, False, ""
    return rest[:at], True, rest[at + len(joint) :]


def _bare(line: str, enhanced: str | None) -> str:
    """A line without its code, and without the enhanced code if it is the first line's."""
    line = line[4:].strip()
    if enhanced and line.startswith(enhanced) and line[len(enhanced) :][:1] in ("", " "):
        line = line[len(enhanced) :].strip()
    return line
