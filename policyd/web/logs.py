"""How each log is read, for /healthz and the page.

Contract: pure; `logs_view(facts, wall)` shows `MOST` logs at most, those with a trouble first, then
those that are behind most. Texts are short and printable. Samples do not tell whose mail it was:
the page has no password.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from heapq import nsmallest

from policyd.counting.facts import SourceFacts
from policyd.web.spelling import legible
from policyd.web.view import LogsView, SourceView

__all__ = ["LONGEST", "MOST", "logs_view", "masked", "short"]

MOST = 20
LONGEST = 200  # characters
_MAILBOX = re.compile(r"(?:\"[^\"]*\"|[^\s<>()\[\]=:;,\"]+)@")
_LOCAL = re.compile(r"<[^<>@\s]+>")
_EXIM = re.compile(r"(=>|->|==|\*\*) [^\s<>]+(?= <)")


def logs_view(facts: Sequence[SourceFacts], wall: float) -> LogsView:
    """All logs at one moment."""
    shown = nsmallest(MOST, facts, key=lambda log: (not log.trouble, -log.behind))
    return LogsView(len(facts), tuple(_source(log, wall) for log in shown))


def masked(line: str) -> str:
    """A line of a log without the names of mailboxes."""
    line = _LOCAL.sub("<…>", _MAILBOX.sub("…@", line))
    return short(_EXIM.sub(r"\1 …", line))


def _source(log: SourceFacts, wall: float) -> SourceView:
    return SourceView(
        name=short(log.name),
        kind=log.kind,
        trouble=short(log.trouble),
        frame=log.frame,
        offset_seconds=log.offset,
        offset_kind=log.offset_kind,
        behind_bytes=log.behind,
        newest=log.newest or None,
        age_seconds=max(0.0, round(wall - log.newest, 1)) if log.newest else None,
        lines=log.lines,
        lines_per_second=round(log.lines_per_second, 3),
        deliveries_per_second=round(log.deliveries_per_second, 3),
        gap_bytes=log.gap,
        unparsed=log.unparsed,
        samples=tuple(masked(line) for line in log.samples[-3:]),
    )


def short(text: str) -> str:
    """At most `LONGEST` characters, all printable."""
    shown = legible(text[:LONGEST])
    return shown if len(text) <= LONGEST and len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
