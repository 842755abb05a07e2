"""Domains as they stand in a log, and as everybody else writes them.

Contract: `Domains()[raw]` is `domain_of` of an address with that domain; what was asked lately is
remembered. Failure: none.
"""

from __future__ import annotations

from logparse.events import text_of
from policyd.throttle.evidence import domain_of

__all__ = ["DomainCache"]

_CACHED = 65_536


class DomainCache(dict[bytes, str]):
    """See the module."""

    def __missing__(self, raw: bytes) -> str:
        if len(self) >= _CACHED:
            self.clear()
        found = self[raw] = domain_of(text_of(raw))
        return found
