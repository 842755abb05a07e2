"""One parser for any log of Postfix or Exim: finds out by itself, line by line, what it reads.

Contract: `AutoParser.feed(block, now)` takes whole lines of any supported shape, even mixed.
`plain`, `postfix`, `exim_lines` and `exim` are its steps, for callers in a hurry; `whole` and
`parts` make of a block what they need, as one or for each machine. `take_undated`
counts the lines whose time could not be read: they got that of a neighbour, or `now`. `snapshot` is
what was read and is not complete yet (a journal entry, a split container line): it belongs to the
position. `recognise` tells how many lines of a block are an MTA's.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, ClassVar

from logparse.dull import telling
from logparse.events import Event, Unparsed
from logparse.exim import EximParser
from logparse.exim_lines import Found, only_exim
from logparse.framing import MTA_FRAME
from logparse.machines import MachineLines, Split, machines_of
from logparse.plain import Plain
from logparse.postfix import PostfixParser
from logparse.shapes import EXIM, EXIM_ID
from logparse.stamps import OWN, STAMP, Stamps

__all__ = ["AutoParser", "recognise"]

_OWN = re.compile(OWN)
_OWN_LINE = re.compile(rb"\n" + OWN)
_SYSLOG = b" exim"  # in each line of Exim's that syslog wrote
# no prose of another program has a stamp before its tag, or a message id behind Exim's own stamp
_LINES = re.compile(
    rb"^(?:" + MTA_FRAME + rb"|(?:<\d{1,3}>)?(?:" + STAMP + rb") [^ \n]++ " + EXIM + rb"\[\d++\]: "
    rb"|" + OWN + rb" (?:\[\d++\] )?" + EXIM_ID + rb" )",
    re.MULTILINE,
)


def recognise(block: bytes, now: float) -> int:
    """How many of these lines were written by Postfix or Exim."""
    return sum(1 for _ in _LINES.finditer(Plain().lines(block, now, thorough=True)))


class AutoParser:
    """Reads blocks of whole log lines of any shape."""

    # what `restore` needs: text for `str`, whole numbers for `int`
    SAVED: ClassVar = {"plain": str, "exim": EximParser.SAVED}

    def __init__(
        self,
        zone: tzinfo | None = None,
        removed: bool = True,
        *,
        postfix_removed: bool = True,
        neighbours: bool = False,
    ) -> None:
        """Ends of messages come only if `removed`; Postfix's only if `postfix_removed`, too.

        `neighbours`: a line without a time gets that of the line before, however long ago.
        """
        self.stamps = Stamps(zone)
        self.postfix = PostfixParser(zone, removed and postfix_removed, self.stamps)
        self.exim = EximParser(zone, removed, self.stamps)
        self._removed = removed and postfix_removed
        self._plain = Plain(self._removed, neighbours)

    def take_undated(self) -> int:
        """Lines without a readable time since this was asked last."""
        count = self._plain.undated + self.postfix.undated + self.stamps.odd
        self._plain.undated = self.postfix.undated = self.stamps.odd = 0
        return count

    def feed(self, block: bytes, now: float) -> list[Event]:
        """The events in `block`; Postfix's in the order of their lines, then Exim's."""
        text = self.plain(block, now)
        events = (self.exim.line(line, now) for line, *_ in self.exim_lines(text))
        found = self.postfix.feed(text, now, self.telling)
        found += (event for event in events if event is not None)
        return [*found, *self.unread()]

    def plain(self, block: bytes, now: float) -> bytes:
        """`block` with every line in the usual frame."""
        self._found: list[Found] | None = None
        if not self._plain.carry and _OWN.match(block) is not None:
            found = self.exim.lines(block)
            if found and only_exim(found):
                self._found = found
                return self._plain.pass_by(block)
        return self._plain.lines(block, now)

    def whole(self, block: bytes, now: float) -> MachineLines:
        """The plain lines of `block`, whoever wrote them."""
        text = self.plain(block, now)
        return MachineLines(
            b"", text, self._plain.count, self._plain.telling, self.exim_lines(text)
        )

    def parts(self, block: bytes, now: float) -> Split:
        """The plain lines of `block`, for each machine that wrote some."""
        part = self.whole(block, now)
        machine = self._plain.machine
        if machine is None:
            parts, turns = machines_of(part.text)
            return Split(
                [self._part(one) for one in parts]
                if len(parts) > 1
                else [part._replace(machine=parts[0].machine)],
                turns,
            )
        machine = b"" if machine == b"-" else machine
        return Split([part._replace(machine=machine)], [machine])

    def _part(self, part: MachineLines) -> MachineLines:
        """The lines of one machine with what a parser needs to know of them."""
        told = telling(part.text, self._removed)
        exim = self.exim.lines(part.text) if told is None and _holds_exim(part.text) else []
        return part._replace(telling=None if told is None else told[1], exim=exim)

    @property
    def telling(self) -> list[int] | None:
        """Where the lines begin that Postfix's parser must see; None: it must look for them."""
        return self._plain.telling

    @property
    def lines(self) -> int:
        """How many lines the last block had."""
        return self._plain.count

    def unread(self) -> list[Unparsed]:
        """Lines that look like Exim's, in a frame that cannot be read; told once."""
        found, self._plain.unread = self._plain.unread, []
        return found

    def exim_lines(self, text: bytes) -> list[Found]:
        """The lines of the block that went through `plain` last that may be Exim's."""
        if self._found is not None:
            return self._found
        if self._plain.telling is not None or not _holds_exim(text):
            return []
        return self.exim.lines(text)

    def snapshot(self) -> dict[str, Any]:
        """What must outlive a restart, as plain JSON values."""
        return {"plain": self._plain.carry.decode("latin-1"), "exim": self.exim.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes a snapshot back."""
        self._plain.carry = saved.get("plain", "").encode("latin-1")
        self.exim.restore(saved.get("exim", {}))


def _holds_exim(text: bytes) -> bool:
    """Whether Exim may have written any of these lines; never a guess."""
    return _SYSLOG in text or _OWN.match(text) is not None or _OWN_LINE.search(text) is not None
