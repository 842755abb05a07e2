"""By which name the gate is asked for a recipient's domain, where that is another one.

Contract: pure. Mail that goes to a relay host, or by a transport table, is looked up by the
next-hop's name; the log names the recipient's domain. A hold line names the host that was looked up
last, never the next-hop: which next-hop was held for the sake of that host is what the gate knows
(`held`). So evidence can be put under the name that the gate's questions and the grants use.
Failure: none; the memory is bounded, what it forgot the next hold tells again. A line of a time in
which the gate held nothing there teaches nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from policyd.bounded import Bounded
from policyd.throttle.evidence import AcceptedMail, Evidence, Lane, may_be_hold

__all__ = ["NextHops", "asked_name"]

Line = TypeVar("Line", Evidence, AcceptedMail)

_ASKED = re.compile(r"Error looking up name=(\S+) type=(\S+):")
_NEAR = 30.0  # seconds between a hold and its log line,
_ECHOES = 600.0  # and the echoes of it
_STALE = 3600.0  # after which a domain that was asked for by its own name may go another way


def asked_name(reason: str) -> str | None:
    """The next-hop that was looked up, as a reason tells it; an address is a host's, not its."""
    found = _ASKED.search(reason)
    return _name(found) if found and found[2] == "MX" else None


def _name(found: re.Match[str]) -> str:
    return found[1].rstrip(".").lower()


class NextHops:
    """Recipient domain → the name the gate is asked for, where they differ."""

    def __init__(self, size: int) -> None:
        self._names: Bounded[str, str] = Bounded(size)
        self._by_host: Bounded[str, str] = Bounded(size)  # exchanger → the name it was held for
        self._held: Bounded[str, float] = Bounded(size)  # name → when the gate held it last

    def held(self, name: str, hosts: Iterable[str], now: float) -> None:
        """The gate holds an attempt; one of these hosts will be named by the log."""
        self._held[name] = now
        for host in hosts:
            self._by_host[host] = name

    def known(self, domain: str) -> str:
        """The name a recipient's domain was asked for by last."""
        return self._names.get(domain, domain)

    def of_all(self, held: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        """The same for domains with their numbers of recipients."""
        found: Counter[str] = Counter()
        for domain, recipients in held:
            found[self.known(domain)] += recipients
        return tuple(found.items())

    def is_hold(self, line: Evidence) -> bool:
        """Whether a deferral is our hold in other words: what Postfix says where there is no
        address, of mail that the gate held at that very time.
        """
        if line.origin != "local" or line.host or line.outcome not in ("deferred", "suspended"):
            return False
        at = self._held.get(line.domain)
        within = _ECHOES if line.outcome == "suspended" else _NEAR
        return at is not None and abs(line.time - at) <= within and may_be_hold(line.reply)

    def translate(self, line: Line, asked: Bounded[str, Lane]) -> Line:
        """The same under the name the gate was asked for; `asked`: names it has held."""
        domain = line.domain
        name = self._names.get(domain)
        if isinstance(line, Evidence) and line.outcome == "held":
            told = self._told(line, asked)
            if told == domain:
                self._names.pop(domain)
            elif told is not None:
                self._names[domain] = told
            name = told or name
        elif name is None and line.host in asked and domain not in asked:
            name = line.host  # a next-hop in brackets: its own name was asked
        return line if name is None or name == domain else line._replace(domain=name)

    def _told(self, line: Evidence, asked: Bounded[str, Lane]) -> str | None:
        """The next-hop a hold line is about, if it can be known."""
        found = _ASKED.search(line.reply)
        if found is None:
            return None
        name = _name(found)
        if found[2] == "MX":
            return name
        at = self._held.get(line.domain)
        if line.domain in asked and (at is None or line.time - at < _STALE):
            return line.domain
        behind = self._by_host.get(name)
        at = self._held.get(behind) if behind is not None else None
        return behind if at is not None and abs(line.time - at) <= _NEAR else None

    def rows(self) -> Iterator[tuple[str, str]]:
        """What is to be kept over a restart."""
        return self._names.items()

    def restore(self, domain: str, name: str) -> None:
        """Take one of them back."""
        self._names[domain] = name
