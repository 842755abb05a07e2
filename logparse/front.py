"""What stands in a line before the name of the program that wrote it: time, host, level.

Every collector writes this part in its own way, so nothing of it is taken for granted: it is read
word by word, with the stamp readers of `logparse.dates`. Only words a log's own machinery writes
may stand there. A word that may name a program (it ends with a colon), a quote, a parenthesis or
prose mean that another program wrote the line, and what follows is a text it quotes.
Contract: `read_front(text)` gives stamp and host; the stamp is empty where there is none that can
be read. Of several stamps the one that tells most wins (its zone, then its year), then the last.
Failure: `Foreign` in place of a front. Time is linear.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from logparse.dates import Stamp, stamp_at

__all__ = ["Foreign", "Front", "read_front"]

_ZONED = 2  # what a stamp is worth that tells its zone
_LONGEST = 300  # bytes; no frame is that long
_LEVEL_WORDS = 2  # beside the host's name
_WORDS = 8  # where the stamp is of a layout nobody knows

# docker compose, docker swarm, supervisord: who wrote it, behind it a bar; grep: the file, the line
_PREFIX = re.compile(
    rb"(?:[\w.@-]{1,128}(?: stdout| stderr)? *\|[ \t]"
    rb"|(?:[\w.+/-]*/[\w.+-]+:)?(?:\d{1,9}: ?)?(?=[A-Z<\d]))"
)
_BLANKS = re.compile(rb"[ \t|]++")
# <22> · <2.6> · <mail.info> · [mail.info] · [ 1234.567890], the seconds since the machine started
_BRACKETS = re.compile(
    rb"<[\w.]{1,20}>|\[ {0,8}[\w.:/-]{1,80}\]|\((?:\w{1,10})\)"
    rb"|\[ {0,8}\d+\.\d+ < {0,8}\d+\.\d+ >\]"  # journalctl -o short-delta
    rb'|\{(?:\w+="[^"{}]*+",? ?)*+\}'  # labels, as logcli prints them
    rb"|(?:mail|daemon|user|local[0-7])\.\w{1,8}:(?=[ \t])"  # socklog
    rb"|[0-9a-f]{12}\[\d{1,10}\]:(?=[ \t])"  # Docker's name for a container
)
_SINCE_START = re.compile(rb"\[ *[0-9]+\.[0-9]+(?: < *[0-9.]+ >)?\]")
_MARK = re.compile(rb"[\[(]?")
_AFTER = re.compile(rb"[\])]?[:,;]?(?=[ \t]|\Z)")
_WORD = re.compile(rb"(?:[\w.@/%+:*~\x80-\xff-]*[\w.\x80-\xff*]|-)(?:<\d{1,3}>)?(?=[ \t]|\Z)")
_TAGGED = re.compile(rb":(?:[ \t]|\Z)|[(=]")  # a tag, or what a program says of a value
_FIELD = re.compile(rb"\s*\w{1,40}=\Z")
_TABLE = re.compile(rb'"[^"]*+",')
_COUNT = re.compile(rb"[0-9]{1,9}")  # of cat -n, uniq -c, syslog over TCP
_CLOCK = re.compile(rb"[0-9]{1,2}[:.h][0-9]{2}")


class Foreign(Enum):
    """Why what was read is no front."""

    PROGRAM = 1  # another program's words stand there
    UNKNOWN = 2  # nothing that could be one, but no stamp either


class Front(NamedTuple):
    """When and where a line was written."""

    stamp: bytes = b""  # in canonical form
    host: bytes = b""


def read_front(text: bytes, outer: bytes = b"") -> Front | Foreign:
    """The parts of `text`; `outer` is a stamp of the wrapping, with its zone."""
    if len(text) > _LONGEST:
        return Foreign.PROGRAM
    best: Stamp | None = None
    words: list[bytes] = []
    clocked = False
    prefix = _PREFIX.match(text)
    at = prefix.end() if prefix is not None else 0
    while at < len(text):
        if (blanks := _BLANKS.match(text, at)) is not None:
            at = blanks.end()
            continue
        stamp = _stamp(text, at)
        if stamp is not None:
            if not _may_lead(words, best is None):
                return Foreign.UNKNOWN
            at = stamp.end
            words.clear()
            if best is None or stamp.worth >= best.worth:
                best = stamp
            continue
        match = _BRACKETS.match(text, at) or _WORD.match(text, at)
        if match is None:
            return _why(text)
        if match.re is _WORD:
            words.append(match[0])
        clocked = clocked or _SINCE_START.fullmatch(match[0]) is not None
        at = match.end()
    if best is None:
        found = _undated(words, clocked)
        # a wrapping's time says nothing of what stands before the tag: words may be prose
        return Front(outer) if found == Front() and outer else found
    names = [word for word in words if not _is_level(word)]
    if len(names) > 1 or len(words) - len(names) > _LEVEL_WORDS:
        return Foreign.UNKNOWN
    told = outer if outer and best.worth < _ZONED else best.text
    return Front(told, names[0] if names else b"")


def _may_lead(words: list[bytes], first: bool) -> bool:
    """Whether these words may stand before a stamp: levels, a count, one name between two."""
    names = [word for word in words if not _is_level(word)]
    return not names or (len(names) == 1 and (not first or _COUNT.fullmatch(names[0]) is not None))


def _why(text: bytes) -> Foreign:
    """Why a front cannot be read: a program's tag or its quotes, or only a frame nobody knows."""
    if _TAGGED.search(text) is not None and _FIELD.match(text) is None:
        return Foreign.PROGRAM
    return Foreign.PROGRAM if b'"' in text and not _TABLE.match(text) else Foreign.UNKNOWN


def _stamp(text: bytes, at: int) -> Stamp | None:
    """A stamp, perhaps in brackets, perhaps with a colon behind it."""
    mark = _MARK.match(text, at)
    found = stamp_at(text, mark.end() if mark else at)
    after = _AFTER.match(text, found.end) if found is not None else None
    if found is None or after is None:
        return None
    return found._replace(end=after.end())


def _undated(words: list[bytes], clocked: bool) -> Front | Foreign:
    """A front without a stamp; words are only believed to be one where a clock is among them."""
    if not words or (clocked and len(words) <= 1):
        return Front()
    if len(words) > _WORDS:
        return Foreign.UNKNOWN
    if any(map(_CLOCK.search, words)) and any(byte in b"0123456789" for byte in words[0]):
        return Front()
    return Foreign.UNKNOWN


_LEVELS = frozenset(
    b"emerg alert crit err error warn warning notice info debug trace fatal mail user daemon local0"
    b" local1 local2 local3 local4 local5 local6 local7 stdout stderr F P n -".split()
)


def _is_level(word: bytes) -> bool:
    name, _, rest = word.lower().partition(b"<")[0].replace(b":", b".").partition(b".")
    return name in _LEVELS and (not rest or rest in _LEVELS)
