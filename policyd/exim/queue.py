"""Exim's queue as `exim -bp` prints it.

Contract: pure. `parse` gives each message with its age, its sender's domain, whether it is frozen
and its open recipients' domains; lines of no known form are skipped. The listing tells no reasons.
Failure: none. Addresses are hostile: a line is believed only by its indentation and form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from policyd.exim.hand import ID
from policyd.throttle.evidence import domain_of

__all__ = ["Listed", "parse"]

_HEAD = re.compile(
    r" {0,3}([0-9]{1,4})([mhd]) +(?:[0-9.]{1,8}[KMG]?)? +(" + ID.pattern + r") <([^\n]*?)>"
    r"(?: +\([^)\n]*\))?( +\*\*\* frozen \*\*\*)?\Z"
)
_OPEN = " " * 10
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


class Listed(NamedTuple):
    """One message."""

    message: str
    age: float  # seconds
    sender: str  # domain
    frozen: bool
    open: tuple[tuple[str, int], ...]  # domains, and how many recipients there are open


def parse(listing: bytes) -> Iterator[Listed]:
    """The messages of a listing, in its order."""
    head: re.Match[str] | None = None
    domains: Counter[str] = Counter()
    for line in (*listing.decode("utf-8", "replace").split("\n"), ""):
        found = _HEAD.match(line)
        if head is not None and (found or not line.strip()):
            yield _listed(head, domains)
            head = None
        if found:
            head, domains = found, Counter()
        elif head is not None and line.startswith(_OPEN) and not line.startswith(_OPEN + "+"):
            domains[domain_of(line.strip())] += 1


def _listed(head: re.Match[str], domains: Counter[str]) -> Listed:
    number, unit, message, sender, frozen = head.groups()
    age = int(number) * _UNITS[unit]
    return Listed(message, age, domain_of(sender), frozen is not None, tuple(domains.items()))
