"""By which name the gate is asked for a recipient's domain, where that is another one.

Contract: pure. Mail that goes to a relay host, or by a transport table, is looked up by the
next-hop's name; the log names the recipient's domain. A hold line tells both, so evidence can be
put under the name that the gate's questions and the grants use.
Failure: none; the memory is bounded, what it forgot the next hold line tells again.
"""

from __future__ import annotations

import re
from typing import TypeVar

from policyd.throttle.evidence import Evidence, Lane, Taken
from policyd.throttle.memory import Bounded

__all__ = ["NextHops", "asked_name"]

Line = TypeVar("Line", Evidence, Taken)

_ASKED = re.compile(r"Error looking up name=(\S+) type=")


def asked_name(reason: str) -> str | None:
    """The name that was looked up, as a hold line tells it."""
    found = _ASKED.search(reason)
    return found[1].rstrip(".").lower() if found else None


class NextHops:
    """Recipient domain → the name the gate is asked for, where they differ."""

    def __init__(self, size: int) -> None:
        self._names: Bounded[str, str] = Bounded(size)

    def translate(self, line: Line, asked: Bounded[str, Lane]) -> Line:
        """The same under the name the gate was asked for; `asked`: names it has held."""
        domain = line.domain
        name: str | None
        if isinstance(line, Evidence) and line.outcome == "held":
            name = asked_name(line.reply)
            if name is not None and name != domain:
                self._names[domain] = name
            elif name is not None and domain in self._names:
                self._names.pop(domain)
        else:
            name = self._names.get(domain)
            if name is None and line.host in asked and domain not in asked:
                name = line.host  # a next-hop in brackets: its own name was asked
        return line if name is None or name == domain else line._replace(domain=name)
