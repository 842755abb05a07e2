"""What a message of Exim's queue waits for, read from its own log (`exim -Mvl`).

Contract: pure. `held` gives the domains whose last word is "domain is held", and how many of their
recipients. Failure: none; a message without a log of its own tells nothing.
"""

from __future__ import annotations

import re
from collections import Counter

from policyd.throttle.evidence import domain_of

__all__ = ["held"]

_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{8,12}(?: [+-][0-9]{4})? (?:\[[0-9]+\] )?"
_LINE = re.compile(
    _STAMP + r"(?P<address>\S[^\n]{0,1000}?)(?P<fields>(?: [A-Z]{1,4}=[^ \n]+)*)"
    r"(?: routing)? defer \((?P<number>-?[0-9]{1,4})\)(?P<held>: domain is held)?"
)
_HELD = "-23"


def held(told: bytes) -> dict[str, int]:
    """Domains that are held, and how many recipients of each."""
    last: dict[str, bool] = {}
    for line in told.decode("utf-8", "replace").splitlines():
        if found := _LINE.match(line):
            name = found["address"].rpartition(" <")[2].removesuffix(">")
            last[name] = found["held"] is not None and found["number"] == _HELD
    return dict(Counter(domain_of(name) for name, waits in last.items() if waits))
