"""Reads the logs of Postfix and Exim: bytes in, frozen values out.

Contract: `AutoParser` reads any supported shape; `events` holds the values it gives. Sources hand
out the bytes (`logparse.source` says what a source is). This package knows nothing of rules or the
daemon. Failure: parsers never raise; sources raise `LogError`.
"""

from __future__ import annotations

from logparse.auto import AutoParser
from logparse.errors import LogError
from logparse.events import Delivery, Event, Origin, Outcome, Removed, Stage, Unparsed

__all__ = [
    "AutoParser",
    "Delivery",
    "Event",
    "LogError",
    "Origin",
    "Outcome",
    "Removed",
    "Stage",
    "Unparsed",
]
