"""One parser for any log of Postfix or Exim: finds out by itself, line by line, what it reads.

Contract: `AutoParser.feed(block, now)` takes whole lines of any supported shape, even mixed.
`plain`, `postfix` and `others` are its steps, for callers in a hurry. `snapshot` is what was read
and is not complete yet (a journal entry, a split container line): it belongs to the position.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from logparse.events import Event
from logparse.exim import EximParser
from logparse.plain import Plain
from logparse.postfix import PostfixParser

__all__ = ["AutoParser"]

_EXIM_DATE = re.compile(rb"(\d{4}-\d\d-\d\d) \d\d:")


class AutoParser:
    """Reads blocks of whole log lines of any shape."""

    def __init__(self, zone: tzinfo | None = None, removed: bool = True) -> None:
        self.postfix = PostfixParser(zone, removed)
        self.exim = EximParser(zone, removed)
        self._plain = Plain()

    def feed(self, block: bytes, now: float) -> list[Event]:
        """The events in `block`; Postfix's in the order of their lines, then Exim's."""
        text = self.plain(block)
        return [*self.postfix.feed(text, now), *self.others(text, now)]

    def plain(self, block: bytes) -> bytes:
        """`block` with all wrapping removed."""
        return self._plain.lines(block)

    def others(self, text: bytes, now: float) -> Sequence[Event]:
        """The events of Exim's lines in a block that went through `plain`."""
        if _EXIM_DATE.match(text) is None and b" exim" not in text and not _dated_line(text):
            return ()
        return self.exim.feed(text, now)

    def snapshot(self) -> dict[str, Any]:
        """What must outlive a restart, as plain JSON values."""
        return {"plain": self._plain.carry.decode("latin-1"), "exim": self.exim.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes a snapshot back."""
        self._plain.carry = saved.get("plain", "").encode("latin-1")
        self.exim.restore(saved.get("exim", {}))


def _dated_line(text: bytes) -> bool:
    """Whether a line begins as Exim's do: a date and a blank."""
    at = text.find(b"\n2")
    while at >= 0:
        if text[at + 11 : at + 12] == b" ":
            return True
        at = text.find(b"\n2", at + 11)
    return False
