"""Takes out of a text what names somebody: mailboxes and addresses, which no pattern may see.

Contract: `masked` puts `x@x.x` for a mailbox and `0.0.0.0` for an IP address. Nobody can steer a
verdict by choosing an address. Linear in the text.
Failure: none; what is not recognised stays.
"""

from __future__ import annotations

import re

__all__ = ["masked"]

_LOCAL_PART = re.compile(r"""[^\s<>()\[\]"',;:=]{1,64}""")
_DOMAIN = re.compile(r"""[^\s<>()\[\]"',;:=@]{1,255}""")
_IPV4 = re.compile(r"[0-9](?<![0-9.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9])")
_IPV4_LIKE = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_IPV6 = re.compile(
    r"[0-9A-Fa-f:](?<![0-9A-Fa-f:].)(?:(?<=:)|(?<!:)[0-9A-Fa-f]{0,3}:)"
    r"(?:[0-9A-Fa-f]{0,4}:){2,6}[0-9A-Fa-f]{1,4}(?![0-9A-Fa-f:])"
)
_IPV6_LIKE = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:")


def masked(text: str) -> str:
    """The text with signs for mailboxes and addresses."""
    if "@" in text:
        text = _without_mailboxes(text)
    if "." in text and _IPV4_LIKE.search(text):
        text = _IPV4.sub("0.0.0.0", text)
    if ":" in text and _IPV6_LIKE.search(text):
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
    if back is None:
        return at
    dots = back[0].find("..")  # no local part has two dots in a row: a sentence was left open
    return at - (dots if dots > 0 else back.end())
