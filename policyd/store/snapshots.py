"""What survives a restart beside the counters: each part's snapshot, sealed with the clock.

Contract: `documents` are committed together with the counters. A document is a line with the seal
of the clock that its times belong to, and a line of JSON. `restore` takes documents back; nothing
is taken from one that has not the shape it must have. `hurry` asks for snapshots of this very
moment.
Failure: a document that cannot be read is left out; `restore` names it and what is wrong with it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from policyd.process.clock import Clock
from policyd.shape import fits
from policyd.store.largesnapshot import LargeSnapshot
from policyd.store.sqlite import Documents

__all__ = ["SnapshotPart", "Snapshots", "pack"]

_log = logging.getLogger(__name__)

_SEAL = 512  # bytes at most


class SnapshotPart(NamedTuple):
    """One thing that is saved."""

    pieces: Callable[[], Iterator[bytes]]  # JSON without a newline
    take: Callable[[Any, float], object]  # what was read, and what to add to its times
    shape: Any
    large: bool = False  # to be taken piece by piece, and seldom


class Snapshots:
    """See the module. `parts` are asked anew each time, so that a reload reaches them."""

    def __init__(self, parts: Callable[[], Mapping[str, SnapshotPart]], clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self.documents: Documents = {
            name: self._taker(name, part.large) for name, part in parts().items()
        }

    def _taker(self, name: str, large: bool) -> Callable[[], bytes]:
        def pieces() -> Iterator[bytes]:
            yield json.dumps(self._clock.seal()).encode() + b"\n"
            yield from self._parts()[name].pieces()

        return LargeSnapshot(pieces, self._clock) if large else lambda: b"".join(pieces())

    def hurry(self) -> None:
        """The next snapshots shall be of that very moment: the daemon is about to end."""
        for take in self.documents.values():
            if isinstance(take, LargeSnapshot):
                take.again()

    def restore(self, documents: Mapping[str, bytes]) -> dict[str, str]:
        """Take snapshots back; those that could not be, and why."""
        wrong: dict[str, str] = {}
        for name, part in self._parts().items():
            if name not in documents:
                continue
            try:
                self._take(name, part, documents[name])
            except (ValueError, RecursionError) as error:
                wrong[name] = str(error) or type(error).__name__
                _log.error("the saved state of %s cannot be read: %s", name, wrong[name])
        return wrong

    def _take(self, name: str, part: SnapshotPart, document: bytes) -> None:
        seal, newline, body = document.partition(b"\n")
        value = json.loads(body if newline else document)
        clock = json.loads(seal) if newline and len(seal) <= _SEAL else {}
        if not fits(value, part.shape):
            raise ValueError("it has not the shape it must have")
        part.take(value, self._clock.shift(clock if isinstance(clock, dict) else {}))
        if isinstance(snapshot := self.documents[name], LargeSnapshot):
            snapshot.taken = document


def pack(value: object) -> Iterator[bytes]:
    """A snapshot as one piece."""
    yield json.dumps(value, separators=(",", ":")).encode()
