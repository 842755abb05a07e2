"""An SMTP reply as a value: code, enhanced code, what the text says, advises and points at.

Contract: `read` accepts any string: a reply as it came over the wire (several lines), as Postfix
or Exim folds it into a log line, with the logger's words around it, or without any code; several
replies in one text too. The rules are written down in SPEC.md, "A reply". Only the first `LIMIT`
characters are looked at; the work is linear in them.
Failure: none; what cannot be recognised simply stays text.
"""

from __future__ import annotations

import functools
import re
from itertools import accumulate, pairwise
from typing import NamedTuple

from rules.advice import said
from rules.masks import masked
from rules.pointers import point
from rules.transcript import parts

__all__ = ["LIMIT", "Reply", "read"]

LIMIT = 8192


class Reply(NamedTuple):
    """What a reply says, before anybody judges it."""

    code: int | None
    enhanced: str | None  # as spoken
    status: str | None  # the enhanced code after the reply code has had its say
    spoken: str  # for captures: one line, nothing masked
    stage: str | None  # told by the logger's words around the reply
    mismatch: bool  # reply code and enhanced code disagree about the class
    wide: str = ""  # addresses masked, and signs for what it points at
    urls: str = ""  # what it points at, joined by blanks
    hosts: str = ""
    ids: str = ""
    breaks: tuple[int, ...] = ()  # after how many words of it each further line begins
    others: tuple[Reply, ...] = ()  # further replies in the same text

    @property
    def said(self) -> str:
        """As `wide`, without clauses of advice: what patterns see first."""
        return said(self.wide)

    @property
    def text(self) -> str:
        """One line, addresses masked: the whole of it."""
        return masked(self.spoken) if self.pointed else self.wide

    @property
    def lines(self) -> str:
        """As `wide`, a line of the reply in each line."""
        if not self.breaks:
            return self.wide
        words = self.wide.split(" ")
        parts = pairwise((0, *self.breaks, len(words)))
        return "\n".join(filter(None, [" ".join(words[start:end]) for start, end in parts]))

    @property
    def pointed(self) -> bool:
        """Does it point at anything."""
        return bool(self.urls or self.hosts or self.ids)

    @property
    def digit(self) -> int | None:
        """The class: 2, 3, 4 or 5; None where nothing tells it."""
        if self.code is not None:
            return self.code // 100
        return int(self.status[0]) if self.status else None


# a reply code and an enhanced code, both optional: always matches
_HEAD = re.compile(
    r"(?:([2-5][0-9][0-9])(?![0-9A-Za-z_.])([ \-]?) ?)?"
    r"(?:[#(\[]{0,2}([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])[)\]]{0,2}[\s:;,\-_]*)?"
)
# The look-behinds stand after the first character, and the rarest sign comes first where it can be:
# so the search skips to where something can begin.
_INSIDE = re.compile(r"\.(?<=[245].)(?<![^\s(#\[;:]..)[0-7]\.[0-9]{1,3}(?=[\s)\];:,]|$)")
_BREAK = re.compile(r"\\r\\n|\\n|\\r")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]+")
_WRAPPED = re.compile(r"host |smtp|SMTP|said|returned|responded|answered")
_SUFFIX = re.compile(r" ?\(in reply to ([A-Za-z ]{2,40})\)$")
_PREFIX = re.compile(
    r"""(?ix)^ (?: delivery[ ]temporarily[ ]suspended:[ ] | Protocol[ ]error:[ ] )*
    (?: SASL[ ](?:\[CACHED\][ ])?authentication[ ]failed;[ ]server[ ](?P<auth>\S{1,300})[ ]said:[ ]
      | TLS[ ]is[ ]required,[ ]but[ ]host[ ](?P<tls>\S{1,300})[ ]refused[ ]to[ ]start[ ]TLS:[ ]
      | host[ ]\S{1,300}[ ](?:said:|(?P<greeting>refused[ ]to[ ]talk[ ]to[ ]me:))[ ]
      | (?:[^:]{1,200}:[ ])? SMTP[ ]error[ ]from[ ]remote[ ]mail(?:er|[ ]server)
        [ ]after[ ](?P<after>.{1,400}?):[ ]
        (?:host[ ]\S{1,255}[ ]\[[0-9A-Fa-f.:]{2,45}\]:[ ])?(?=[245][0-9][0-9][ \-])
      | (?:Diagnostic-Code:[ ]?)?smtp;[ ]?
      | .{0,300}?\b(?:remote[ ](?:host|server)[ ])?(?:said|returned|responded|answered)
        (?:[ ]with)?:?[ ]?'?(?=[245][0-9][0-9][ \-])
      | host[ ]\S{1,255}[ ]\[[0-9A-Fa-f.:]{2,45}\]:[ ]
    )"""
)
_STAGE = (
    ("end of data", "eod"),
    ("rcpt", "rcpt"),
    ("mail from", "mail"),
    ("data", "data"),
    ("initial connection", "connect"),
    ("ehlo", "helo"),
    ("helo", "helo"),
    ("lhlo", "helo"),
    ("starttls", "starttls"),
    ("auth", "auth"),
)


def read(reply: str) -> Reply:
    """Take a reply apart."""
    line = reply if len(reply) <= LIMIT else reply[:LIMIT]
    folded = "\n" in line
    if "\\" in line:
        line = _BREAK.sub("\n", line)
        folded = folded or "\n" in line
    if not line.isprintable() or "  " in line or line[:1] == " " or line[-1:] == " ":
        line = _one_line(line)
    stage = None
    head = _HEAD.match(line)
    assert head is not None
    digits, mark, enhanced = head.groups()
    if digits is None or "(in reply to " in line:
        line, stage = _unwrap(line, digits is None)
        head = _HEAD.match(line)
        assert head is not None
        digits, mark, enhanced = head.groups()
    code = int(digits) if digits else None
    rest = line[head.end() :]
    breaks: tuple[int, ...] = ()
    if digits and (folded or mark == "-"):
        lines = [part.strip() for part in _repeated(digits, enhanced).split(rest)]
        lines = [line for line in lines if line]
        rest = " ".join(lines)
        breaks = tuple(accumulate([line.count(" ") + 1 for line in lines[:-1]]))
    if digits and (" 5" in rest or " 4" in rest or " 2" in rest or " 3" in rest):
        first, *further = parts(rest)
        others = [_further(part, stage) for part in further]
        if others:
            return _reply(code, enhanced, first, stage, breaks, tuple(others))
    return _reply(code, enhanced, rest, stage, breaks)


def _further(part: str, stage: str | None) -> Reply:
    head = _HEAD.match(part)
    assert head is not None
    return _reply(int(head[1]), head[3], part[head.end() :], stage)


def _reply(
    code: int | None,
    enhanced: str | None,
    rest: str,
    stage: str | None,
    breaks: tuple[int, ...] = (),
    others: tuple[Reply, ...] = (),
) -> Reply:
    """A reply from its codes and its text in one line."""
    if enhanced is None:
        enhanced = _inside(rest, code)
    status, mismatch = enhanced, False
    if code is not None and enhanced is not None and int(enhanced[0]) != code // 100:
        status, mismatch = f"{code // 100}{enhanced[1:]}", True
    return Reply(code, enhanced, status, rest, stage, mismatch, *point(rest), breaks, others)


def _one_line(line: str) -> str:
    """One line with single blanks."""
    line = " ".join(line.split())
    return line if line.isprintable() else " ".join(_CONTROL.sub(" ", line).split())


def _inside(text: str, code: int | None) -> str | None:
    """An enhanced code that stands somewhere in the text, as qmail and others write it."""
    found = _INSIDE.search(text) if "." in text else None
    if found is None:
        return None
    start = found.start() - 1
    marked = start > 0 and text[start - 1] in "(#["
    return (
        text[start : found.end()]
        if marked or code is None or int(text[start]) == code // 100
        else None
    )


@functools.lru_cache(maxsize=256)
def _repeated(code: str, enhanced: str | None) -> re.Pattern[str]:
    """The code at the start of each further line, which folding left in the middle."""
    again = rf"(?:{re.escape(enhanced)}(?![0-9.])[ \-]?)?" if enhanced else ""
    return re.compile(rf"(?:^|[ ?])(?:{code}(?:- ?| |$){again})+")


def _unwrap(line: str, codeless: bool) -> tuple[str, str | None]:
    """The reply without the logger's words around it, and the stage they told."""
    stage = None
    suffix = _SUFFIX.search(line[-64:])
    if suffix:
        line = line[: len(line) - len(suffix[0])]
        stage = _stage_of(suffix[1])
    prefix = _PREFIX.match(line) if codeless and _WRAPPED.search(line) else None
    if prefix:
        line = line[prefix.end() :]
        if prefix["after"]:
            stage = stage or _stage_of(prefix["after"])
        elif prefix["greeting"]:
            stage = stage or "connect"
        elif prefix["auth"] or prefix["tls"]:
            stage = stage or ("auth" if prefix["auth"] else "starttls")
    return line, stage


def _stage_of(words: str) -> str | None:
    low = words.lower()
    return next((stage for word, stage in _STAGE if word in low), None)
