"""Tell the log about trouble on a data socket without letting the trouble flood the log.

Contract: each fault is counted; of each kind the first is logged, then at most one a `pause`, with
the number of those kept quiet. Time is an argument.
Failure: none.
"""

from __future__ import annotations

import logging

from policyd.serve.session import HookCounts

__all__ = ["Faults"]

log = logging.getLogger(__name__)


class Faults:
    """The faults of one hook: a counter for each kind and a log that does not drown."""

    __slots__ = ("_counts", "_hook", "_pause", "_quiet", "_told")

    def __init__(self, hook: str, counts: HookCounts, pause: float = 10.0) -> None:
        self._hook = hook
        self._counts = counts
        self._pause = pause
        self._told: dict[str, float] = {}
        self._quiet: dict[str, int] = {}

    def note(self, kind: str, peer: str, what: object, now: float) -> None:
        """Count one fault of `kind`; say so in the log unless one was told just now."""
        self._counts.faults[kind] += 1
        told = self._told.get(kind)
        if told is not None and now - told < self._pause:
            self._quiet[kind] = self._quiet.get(kind, 0) + 1
            return
        self._told[kind] = now
        unheard = self._quiet.pop(kind, 0)
        log.warning(
            "%s: %s fault from %s: %s (%d more kept quiet)", self._hook, kind, peer, what, unheard
        )
