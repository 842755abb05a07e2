"""How is each log read: does it flow, in which frame, how old is its newest line, what is odd?

Contract: pure, as `policyd.doctor`, of which it is a part. The running daemon's word is told where
there is one; else what the doctor saw by itself. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator

from logparse import native
from policyd.doctor.values import Check, Facts, Finding
from policyd.settings.units import spell
from policyd.web.view import SourceView

__all__ = ["CHECKS"]


def _logs(facts: Facts) -> Iterator[Finding]:
    """One line for each log, and one for each thing that is odd about it."""
    for log in facts.daemon.logs:
        if log.kind == "sample":  # told already, and no log
            continue
        if log.trouble:
            told = "log" in facts.daemon.troubles  # by mxheed's own words
            yield Finding(
                "note" if told else "wrong",
                f"{log.name}: {log.trouble}",
                "name the log (log.path), and let mxheed's user read it: usermod -a -G adm USER",
            )
        else:
            yield Finding("fine", _words(log))
        yield from _odd(log)


def _odd(log: SourceView) -> Iterator[Finding]:
    """What mail operators should know of, although the log is read."""
    if log.unparsed:
        last = f"; the last: {log.samples[-1]}" if log.samples else ""
        yield Finding(
            "note",
            f"{log.name}: {log.unparsed} lines look like a delivery and cannot be read{last}",
            "report a line of that kind; until then its deliveries are missing in all numbers",
        )
    if log.offset_kind == "clock":
        way = "behind" if log.offset_seconds > 0 else "ahead of"
        yield Finding(
            "note",
            f"{log.name}: its stamps are {abs(log.offset_seconds):.0f} s {way} the clock,"
            " which is allowed for: one of the two clocks is wrong",
            "set the clocks by NTP; log.timezone names the zone of stamps without one",
        )
    if log.gap_bytes:
        yield Finding(
            "note",
            f"{log.name}: {log.gap_bytes} bytes were lost since mxheed started",
            "its log says why; docs/logs.md: Gaps",
        )


def _words(log: SourceView) -> str:
    words = [f"{log.name} ({log.kind})"]
    if log.age_seconds is None:
        words.append("no line yet")
    else:
        words.append(f"the newest line is {spell(max(1.0, float(round(log.age_seconds))))} old")
    if log.frame:
        words.append(f"frame: {log.frame}")
    if log.offset_kind == "zone":
        way = "behind" if log.offset_seconds > 0 else "ahead"
        words.append(f"stamps {abs(log.offset_seconds) / 3600:g} h {way}: another zone")
    if log.behind_bytes:
        words.append(f"{log.behind_bytes} bytes behind")
    if log.lines_per_second:
        words.append(
            f"{log.lines_per_second:g} lines and {log.deliveries_per_second:g} deliveries a second"
        )
    return ", ".join(words)


def _reader(facts: Facts) -> Iterator[Finding]:
    yield Finding("fine", f"reports are made by {native.path}")


CHECKS = (
    Check("how each log is read", _logs, needs=("logs",), each=False),
    Check("what reads logs for reports", _reader, each=False),
)
