"""Is Postfix there, and does it count as mxheed believes?

Contract: pure, as `policyd.doctor`, of which it is a part. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policyd.doctor.values import Check, Facts, Finding

__all__ = ["CHECKS", "seconds"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LIFETIMES = ("maximal_queue_lifetime", "bounce_queue_lifetime")


def _version(facts: Facts) -> Iterator[Finding]:
    version = ".".join(map(str, facts.version))
    if facts.version < (3, 0):
        yield Finding("wrong", f"Postfix {version} has no DNS reply filter", "use 3.0 or newer")
    else:
        yield Finding("fine", f"Postfix {version}")


def _running(facts: Facts) -> Iterator[Finding]:
    if facts.running is None:
        yield Finding("unchecked", "whether Postfix runs is only told to root", "run it as root")
    elif not facts.running:
        yield Finding("wrong", "Postfix is not running", "postfix start")


def _times(facts: Facts) -> Iterator[Finding]:
    """Bounces are held, too, and may have a shorter life of their own."""
    lives = {name: seconds(facts.parameters.get(name, "5d"), "d") for name in _LIFETIMES}
    name, lifetime = min(lives.items(), key=lambda life: life[1])
    if lifetime != facts.daemon.queue_lifetime:
        yield Finding(
            "wrong",
            f"{name} is {lifetime:g} s, mxheed believes {facts.daemon.queue_lifetime:g} s",
            f"set pacing.queue_lifetime: {lifetime:g}s",
        )


def _recipients(facts: Facts) -> Iterator[Finding]:
    limit = facts.parameters.get("smtp_destination_recipient_limit", "")
    if not limit.isdecimal():  # "$default_destination_recipient_limit"
        limit = facts.parameters.get("default_destination_recipient_limit", "50")
    if limit.isdecimal() and int(limit) != facts.daemon.recipients:
        yield Finding(
            "note",
            f"smtp delivers to {limit} recipients at once, mxheed counts with "
            f"{facts.daemon.recipients}",
            f"set pacing.recipients: {limit}",
        )


def seconds(text: str, unit: str = "s") -> float:
    """Postfix's way to write a time: 5d, 300s, 10; `unit` is what a bare number counts there."""
    found = re.fullmatch(r"(\d+)([smhdw]?)", text.strip())
    return float(found[1]) * _UNITS[found[2] or unit] if found else 0.0


CHECKS = (
    Check("Postfix's version", _version),
    Check("Postfix runs", _running),
    Check("lifetime in the queue", _times),
    Check("recipients at once", _recipients),
)
