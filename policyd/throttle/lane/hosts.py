"""Which hosts of a receiver answer: trouble of the network is one host's while another answers.

Contract: pure and bounded; the host unheard of for longest is forgotten first.
Failure: none; a host nobody knows does not answer.
"""

from __future__ import annotations

__all__ = ["Hosts"]

_MOST = 64
_LATELY = 600.0


class Hosts:
    """When each host of one lane answered, and when it was in trouble."""

    __slots__ = ("_answered", "_troubled")

    def __init__(self) -> None:
        self._answered: dict[str, float] = {}
        self._troubled: dict[str, float] = {}

    def answered(self, host: str, now: float) -> None:
        """It said something."""
        _note(self._answered, host, now)

    def troubled(self, host: str, now: float) -> bool:
        """It could not be reached, or hung up; True: another one answers."""
        _note(self._troubled, host, now)
        return any(
            other != host and now - when < _LATELY and when > self._troubled.get(other, 0.0)
            for other, when in self._answered.items()
        )


def _note(table: dict[str, float], host: str, now: float) -> None:
    if len(table) >= _MOST and host not in table:
        del table[min(table, key=lambda name: table[name])]
    table[host] = now
