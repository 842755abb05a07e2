"""What a rule takes from a reply's text, by type.

Contract: `typed` turns a captured text into a value of its type, or None where it does not fit.
Remote text is hostile: nothing is longer than 512 characters, and no value is ever interpreted.
Failure: none.
"""

from __future__ import annotations

import re

from rules.durations import CLOCK, clock, ready, seconds

__all__ = ["KINDS", "typed"]

KINDS = ("duration", "count", "period", "ip", "url", "tag")
_URL = re.compile(r"https?://[\x21-\x7e]{1,500}")


def typed(kind: str, text: str) -> str | int | float | None:
    """The value of a captured text."""
    text = text.strip()
    if kind in ("duration", "period"):
        at = ready(CLOCK).fullmatch(text)
        return clock(at[1], at[2], at[3]) if at else seconds(text)
    if kind == "count":
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
    if kind == "ip":
        import ipaddress  # seldom needed, and slow to import

        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            return None
    if kind == "url":
        return text if _URL.fullmatch(text) else None
    return text if 0 < len(text) <= 64 and text.isprintable() else None
