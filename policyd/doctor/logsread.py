"""How each log is read, as the daemon tells it, or as its end looks where no daemon runs.

Contract: `told(health)` takes /healthz's JSON; `looked(paths, zone)` reads the last `_LOOK` bytes
of each log that `log.path` names, as whoever asks. Both bounded.
Failure: none; what cannot be read says so, what cannot be looked at is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any

from logparse.auto import AutoParser, recognise
from logparse.detect import detect, newest_entry
from logparse.events import Delivery, Unparsed, text_of
from logparse.frame import frame_of
from policyd.counting.counters import Counters
from policyd.counting.logclock import LogClock
from policyd.reading.globs import matches
from policyd.settings.logs import asked
from policyd.web.logs import MOST, masked, short
from policyd.web.view import SourceView

__all__ = ["looked", "told"]

_LOOK = 1 << 17  # bytes at the end of a log


def told(health: Mapping[str, Any]) -> tuple[SourceView, ...]:
    """The section "log" of /healthz; older daemons have none."""
    log = health.get("log")
    sources = log.get("sources") if isinstance(log, dict) else None
    found = sources if isinstance(sources, list) else []
    return tuple(_told(one) for one in found[:MOST] if isinstance(one, dict))


def looked(paths: Sequence[str], zone: tzinfo | None) -> tuple[tuple[SourceView, ...], str]:
    """What the logs look like from here, and why nothing is seen."""
    if tuple(paths) == ("auto",):
        choice = detect(None)
        if choice.kind == "none":
            return (), choice.why
        paths = (choice.path or "journal",)
    return tuple(islice(_looked(paths, zone), MOST)), "only mxheed itself can read it"


def _looked(paths: Sequence[str], zone: tzinfo | None) -> Iterator[SourceView]:
    now = time.time()
    for path in paths:
        if path == "sample":
            continue
        log = asked(path)
        if log.kind == "file":
            yield _file(log.path, "file", zone, now)
        elif log.kind == "glob":
            for one in matches(log.path):
                yield _file(one, "glob", zone, now)
        elif path == "journal":
            newest = newest_entry()
            if newest is None:
                yield SourceView(path, "journal", "there is no mail in it, or it cannot be read")
            else:
                age = max(0.0, now - newest)
                yield SourceView(path, "journal", newest=newest, age_seconds=age)


def _file(path: str, kind: str, zone: tzinfo | None, now: float) -> SourceView:
    try:
        block = _end(path)
    except OSError as wrong:
        return SourceView(short(path), kind, wrong.strerror or "it cannot be read")
    parser = AutoParser(zone, removed=False, neighbours=True)
    clock = LogClock(parser.stamps, Counters())
    events = parser.feed(block, now)
    clock.look(parser.plain(block, now), now)
    odd = [masked(text_of(e.line[:300])) for e in events if isinstance(e, Unparsed)]
    mail = any(isinstance(e, Delivery) for e in events) or recognise(block, now) > 0
    lines = block.count(b"\n")
    strange = "" if mail or odd or not lines else f"none of its last {lines} lines looks like"
    return SourceView(
        name=short(path),
        kind=kind,
        trouble=strange and f"{strange} Postfix or Exim",
        frame=frame_of(block[block.rfind(b"\n", 0, -1) + 1 :]),
        newest=clock.newest or None,
        age_seconds=now - clock.newest if clock.newest else None,
        lines=lines,
        unparsed=len(odd),
        samples=tuple(odd[-3:]),
    )


def _end(path: str) -> bytes:
    """The last whole lines of a file; nothing waits for what is none."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not os.path.isfile(path):
            raise OSError(0, "it is no file")
        file.seek(max(0, size - _LOOK))
        block = file.read(_LOOK)
    first = block.find(b"\n") + 1 if size > _LOOK else 0
    return block[first : block.rfind(b"\n") + 1]


def _told(raw: Mapping[str, Any]) -> SourceView:
    """One source; whoever answers at that address, the values are of the kinds we know."""
    samples = raw.get("samples")
    return SourceView(
        name=_text(raw, "name"),
        kind=_text(raw, "kind"),
        trouble=_text(raw, "trouble"),
        frame=_text(raw, "frame"),
        offset_seconds=_number(raw, "offset_seconds") or 0.0,
        offset_kind=_text(raw, "offset_kind"),
        behind_bytes=int(_number(raw, "behind_bytes") or 0),
        newest=_number(raw, "newest"),
        age_seconds=_number(raw, "age_seconds"),
        lines=int(_number(raw, "lines") or 0),
        lines_per_second=_number(raw, "lines_per_second") or 0.0,
        deliveries_per_second=_number(raw, "deliveries_per_second") or 0.0,
        gap_bytes=int(_number(raw, "gap_bytes") or 0),
        unparsed=int(_number(raw, "unparsed") or 0),
        samples=tuple(masked(str(one)) for one in samples[:3]) if isinstance(samples, list) else (),
    )


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return short(value) if isinstance(value, str) else ""


def _number(raw: Mapping[str, Any], name: str) -> float | None:
    value = raw.get(name)
    known = isinstance(value, int | float) and abs(value) < 1e18  # neither NaN nor endless
    return value if known else None
