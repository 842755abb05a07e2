"""Several replies in one text: a piece of a dialogue, or a reply that quotes another one behind it.

Contract: `parts` cuts what follows a reply code where further reply codes stand: at a known code
before an enhanced code of its class, or before a dash; where one of these shows that the text is a
transcript, or after the end of a sentence, also before a word. What another reply is *said* to have
been ("returned: 550 …") is a quotation and no part. Linear in the text.
Failure: none; a code that is not recognised stays text.
"""

from __future__ import annotations

import re

__all__ = ["parts"]

_CODE = re.compile(
    r" (2(?:11|14|20|21|3[45]|5[0-3])|3(?:34|54)|4(?:2[12]|3[02]|4[0-9]|5[0-9])"
    r"|5(?:0[0-4]|1[0-7]|2[1-5]|3[0-9]|4[0-2]|5[0-7]|7[0-9]))([ -])(?=\S)"
)
_ENHANCED = re.compile(r"[#(\[]{0,2}([245])\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.])")
_QUOTING = re.compile(
    r"(?i)(?:[:=#(\"'/<]|\b(?:errors?|codes?|status|said|says|returned|responded|answered|replied|with"
    r"|got|than|of|limit|max(?:imum)?|port|to|at|by|is|was|over|exceeds?|for|in|and|or|up to|least"
    r"|most|smtp|rfc|only|about|after|line|number|size|used|has|have|from))$"
)
_COUNTED = re.compile(
    r"(?i)(?:e-?mails|mails|messages|msgs|recipients|rcpts|connections|sessions|bytes|octets"
    r"|[kmg]i?b|seconds|secs|minutes|mins|hours|days|per|/|times|users|%|requests|of|more"
    r"|characters|lines|hops|points|ms|[0-9])\b"
)
MOST = 16  # parts that are looked at


def parts(text: str) -> list[str]:
    """The text up to the first further reply, and each further reply."""
    found = _CODE.search(text)
    if found is None:
        return [text]
    sure = False
    places: list[tuple[int, bool, bool, bool]] = []
    while found and len(places) < MOST:
        start, end = found.start(), found.end()
        if not _QUOTING.search(text, max(start - 12, 0), start):
            status = _ENHANCED.match(text, end)
            firm = status[1] == found[1][0] if status else found[2] == "-"
            firm = firm and (status is not None or not text[end].isdigit())
            sure = sure or firm
            ended = text[start - 1 : start] in ".!?;])"
            counted = _COUNTED.match(text, end) is not None
            places.append((start, firm, ended and not counted, counted))
        found = _CODE.search(text, end - 1)
    cuts = [
        start for start, firm, ended, counted in places if firm or ended or (sure and not counted)
    ]
    starts = [0, *(cut + 1 for cut in cuts)]
    ends = [*cuts, len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]
