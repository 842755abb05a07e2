"""What every source of log lines looks like: blocks of whole lines, each with the place after it.

Contract: `read` hands out bytes that end with a newline and the position behind them; a source
made anew from that position goes on with the next line. `None` means that nothing is there at the
moment (for an archive: any more). Bytes that are gone for good are told as `Block.gap`, once.
A position is a JSON-serialisable mapping; what is in it is the source's own business.
Failure: `SourceError` or `OSError` from `read`; the position is unharmed and `read` may be called
again. A log that is missing or unreadable is no failure: the source says so once and waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

__all__ = ["LIMIT", "NOWHERE", "Block", "Position", "Source", "SourceStatus"]

LIMIT = 65_536  # bytes in a block: large enough to be quick, small enough to yield often

Position: TypeAlias = Mapping[str, Any]
NOWHERE: Position = MappingProxyType({})


class Block(NamedTuple):
    """Whole lines, the position after them, and what was lost before them."""

    data: bytes  # may be empty where only a gap is told
    position: Position
    gap: int = 0  # bytes known to be lost; at least 1 where a loss cannot be ruled out
    end: bool = False  # nothing more stood in the log when this was read
    source: str = ""  # the name of the log, where several are read as one
    fresh: bool = False  # of several: that one was read to its end just before


class SourceStatus(NamedTuple):
    """How a log is read."""

    key: str  # what its blocks call it: "" for the only one
    name: str
    kind: str
    trouble: str = ""  # why it cannot be read; "": it can
    at_end: bool = False
    behind: int = 0  # bytes that are not read yet, as far as it can be told
    gap: int = 0  # bytes lost since the start


class Source(Protocol):
    """One log, read from a position on."""

    @property
    def position(self) -> Position:
        """Where the next block begins; empty where nothing was opened yet."""

    def read(self, limit: int = LIMIT) -> Block | None:
        """The next whole lines, about `limit` bytes of them, or None: nothing at the moment."""

    def close(self) -> None:
        """Let go of files and processes; the position stays readable."""
