"""An SMTP reply as a value: code, enhanced code and one line of text that patterns may look at.

Contract: `read` accepts any string: a reply as it came over the wire (several lines), as Postfix
or Exim folds it into a log line, with the logger's words around it, or without any code. The
rules are written down in SPEC.md, "A reply". Only the first `LIMIT` characters are looked at; the
work is linear in them.
Failure: none; what cannot be recognised simply stays text.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

__all__ = ["LIMIT", "Reply", "read"]

LIMIT = 8192


class Reply(NamedTuple):
    """What a reply says, before anybody judges it."""

    code: int | None
    enhanced: str | None  # as spoken
    status: str | None  # the enhanced code after the reply code has had its say
    text: str  # for patterns: one line, addresses masked
    spoken: str  # for captures: one line, nothing masked
    stage: str | None  # told by the logger's words around the reply
    mismatch: bool  # reply code and enhanced code disagree about the class

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
_LOCAL_PART = re.compile(r"""[^\s<>()\[\]"',;:=]{1,64}""")
_DOMAIN = re.compile(r"""[^\s<>()\[\]"',;:=@]{1,255}""")
_IPV4 = re.compile(r"[0-9](?<![0-9.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9])")
_IPV4_LIKE = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_IPV6 = re.compile(
    r"[0-9A-Fa-f:](?<![0-9A-Fa-f:].)(?:(?<=:)|(?<!:)[0-9A-Fa-f]{0,3}:)"
    r"(?:[0-9A-Fa-f]{0,4}:){2,6}[0-9A-Fa-f]{1,4}(?![0-9A-Fa-f:])"
)
_IPV6_LIKE = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:")
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
    rest = line[head.end() :]
    code = int(digits) if digits else None
    if digits and (folded or mark == "-"):
        rest = _repeated(digits, enhanced).sub(" ", rest).strip()
    if enhanced is None:
        enhanced = _inside(rest, code)
    status, mismatch = enhanced, False
    if code is not None and enhanced is not None and int(enhanced[0]) != code // 100:
        status, mismatch = f"{code // 100}{enhanced[1:]}", True
    return Reply(code, enhanced, status, _mask(rest), rest, stage, mismatch)


def _one_line(line: str) -> str:
    """One line with single blanks."""
    line = " ".join(line.split())
    return line if line.isprintable() else " ".join(_CONTROL.sub(" ", line).split())


def _mask(text: str) -> str:
    """Hide what names a mailbox or a host: a rule must not depend on it."""
    if "@" in text:
        text = _without_mailboxes(text)
    if _IPV4_LIKE.search(text):
        text = _IPV4.sub("0.0.0.0", text)
    if _IPV6_LIKE.search(text):
        text = _IPV6.sub("0.0.0.0", text)
    return text


def _without_mailboxes(text: str) -> str:
    parts: list[str] = []
    done = 0
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        start = _local_part(text, done, at) if domain else at
        if domain and start < at:
            parts += (text[done:start], "x@x.x")
            done = domain.end()
        at = text.find("@", max(done, at + 1))
    parts.append(text[done:])
    return "".join(parts)


def _local_part(text: str, low: int, at: int) -> int:
    """Where the local part before an @ begins; the @ itself if there is none."""
    if text[at - 1 : at] == '"':
        quote = text.rfind('"', max(low, at - 66), at - 1)
        return quote if quote >= 0 else at
    back = _LOCAL_PART.match(text[max(low, at - 64) : at][::-1])
    return at - back.end() if back else at


def _inside(text: str, code: int | None) -> str | None:
    """An enhanced code that stands somewhere in the text, as qmail and others write it."""
    found = _INSIDE.search(text)
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
    return re.compile(rf"(?:^|[ ?]){code}(?:- ?| |$){again}")


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
