"""One parser for any log of Postfix or Exim: finds out by itself, line by line, what it reads.

Contract: `AutoParser.feed(block, now)` takes whole lines of any supported shape, even mixed.
Postfix records are looked for everywhere. Exim's lines too, but in a log of large blocks that has
shown none so far only a few lines of a block are looked at, and all of them in one block of many.
`plain`, `postfix`, `exim_lines` and `exim` are its steps, for callers in a hurry. `snapshot` is
what was read and is not complete yet (a journal entry, a split container line): it belongs to the
position.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, ClassVar

from logparse.events import Event
from logparse.exim import EximParser
from logparse.exim_lines import Found
from logparse.plain import Plain
from logparse.postfix import PostfixParser

__all__ = ["AutoParser"]

_OWN = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"  # Exim's own stamp has a blank where others have a T
_SYSLOG = rb"[^\n\[]{10,100} exim[^ \n\[\]/]{0,20}\["
_EXIM = re.compile(_OWN + rb"|" + _SYSLOG)
_EXIM_LINE = re.compile(rb"\n(?:" + _OWN + rb"|" + _SYSLOG + rb")")
_SMALL = 4096
_PROBES = 4
_THOROUGH = 16  # of so many large blocks one is looked through


class AutoParser:
    """Reads blocks of whole log lines of any shape."""

    # what `restore` needs: text for `str`, whole numbers for `int`
    SAVED: ClassVar = {"plain": str, "exim": EximParser.SAVED}

    def __init__(self, zone: tzinfo | None = None, removed: bool = True) -> None:
        self.postfix = PostfixParser(zone, removed)
        self.exim = EximParser(zone, removed)
        self._plain = Plain()
        self._blocks = 0
        self._mixed = False

    def feed(self, block: bytes, now: float) -> list[Event]:
        """The events in `block`; Postfix's in the order of their lines, then Exim's."""
        text = self.plain(block)
        events = (self.exim.line(line, now) for line, *_ in self.exim_lines(text))
        return [*self.postfix.feed(text, now), *(event for event in events if event is not None)]

    def plain(self, block: bytes) -> bytes:
        """`block` with all wrapping removed."""
        return self._plain.lines(block)

    def exim_lines(self, text: bytes) -> list[Found]:
        """The lines of a block that went through `plain` that may be Exim's."""
        return self.exim.lines(text) if self._holds_exim(text) else []

    def _holds_exim(self, text: bytes) -> bool:
        """Whether Exim wrote any of these lines.

        Large blocks are only sampled most of the time, unless the one before held any.
        """
        self._blocks += 1
        if _EXIM.match(text) is not None:
            self._mixed = False
            return True
        if self._mixed or len(text) <= _SMALL or self._blocks % _THOROUGH == 1:
            self._mixed = _EXIM_LINE.search(text) is not None
        else:
            step = len(text) // _PROBES
            places = (text.find(b"\n", probe * step) + 1 for probe in range(1, _PROBES))
            self._mixed = any(_EXIM.match(text, at) is not None for at in places)
        return self._mixed

    def snapshot(self) -> dict[str, Any]:
        """What must outlive a restart, as plain JSON values."""
        return {"plain": self._plain.carry.decode("latin-1"), "exim": self.exim.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes a snapshot back."""
        self._plain.carry = saved.get("plain", "").encode("latin-1")
        self.exim.restore(saved.get("exim", {}))
