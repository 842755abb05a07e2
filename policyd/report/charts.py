"""The report's pictures as inline SVG: no script, no font, no file from elsewhere.

Contract: pure; numbers in, markup out. Colours are classes of the page's style sheet, so that paper
and screen can differ. Foreign text never enters a picture unescaped. Failure: none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from policyd.report import words
from policyd.report.rows import SlowRow

__all__ = ["heat", "outcome_bar", "ranges", "timeline"]

Slot = tuple[int, int, int]  # sent, deferred, bounced
_CLASSES = ("sent", "deferred", "bounced")
_TICKS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0)


def _svg(width: float, height: float, parts: Iterable[str], label: str, kind: str) -> Markup:
    head = Markup(
        '<svg class="{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}" '
        'preserveAspectRatio="none">'
    ).format(kind, width, height, label)
    return head + Markup("".join(parts)) + Markup("</svg>")


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> str:
    hint = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" '
        f'height="{height:.2f}">{hint}</rect>'
    )


def outcome_bar(sent: int, deferred: int, bounced: int) -> Markup:
    """One bar: which share was accepted, deferred, rejected."""
    total, x, parts = sent + deferred + bounced, 0.0, []
    for number, kind in zip((sent, deferred, bounced), _CLASSES, strict=True):
        if number:
            width = 100 * number / total
            parts.append(_rect(x, 0, width, 10, kind, f"{number:,} {kind}"))
            x += width
    label = f"{sent} accepted, {deferred} deferred, {bounced} rejected"
    return _svg(100, 10, parts, label, "bar")


def heat(slots: Sequence[Slot], names: Sequence[str]) -> Markup:
    """One cell a slot: the paler the better; an outline where nothing was tried."""
    parts = []
    for number, (slot, name) in enumerate(zip(slots, names, strict=True)):
        tried = sum(slot)
        refused = slot[1] + slot[2]
        kind = "none" if not tried else f"h{math.ceil(4 * refused / tried)}"
        if refused and slot[2] > slot[1]:
            kind += " hard"
        title = f"{name}: {refused:,} of {tried:,} refused"
        parts.append(_rect(number * 10, 0, 9.4, 10, kind, title))
    return _svg(max(10 * len(slots), 1), 10, parts, "share refused, slot by slot", "heat")


def timeline(slots: Sequence[Slot], names: Sequence[str]) -> Markup:
    """All attempts over time: accepted at the bottom, deferred and rejected on top of it."""
    highest = max((sum(slot) for slot in slots), default=0) or 1
    width = 960 / max(len(slots), 1)
    parts = []
    for number, (slot, name) in enumerate(zip(slots, names, strict=True)):
        y = 120.0
        title = f"{name}: {slot[0]:,} accepted, {slot[1]:,} deferred, {slot[2]:,} rejected"
        for count, kind in zip(slot, _CLASSES, strict=True):
            height = 118 * count / highest
            y -= height
            if count:
                parts.append(_rect(number * width, y, width * 0.92, height, kind, title))
    label = f"attempts over time, at most {highest:,} in a slot"
    return _svg(960, 120, parts, label, "timeline")


def ranges(rows: Sequence[SlowRow]) -> Markup:
    """From the median to the 95th percentile of the whole delay, one line a receiver, log scale."""
    low, high = math.log10(0.05), math.log10(200_000)

    def place(seconds: float) -> float:
        value = math.log10(min(max(seconds, 0.05), 200_000))
        return 190 + 750 * (value - low) / (high - low)

    height = 26 * len(rows) + 24
    parts = []
    for tick in _TICKS:
        x = place(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 20}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{height - 6}" class="tick">{words.duration(tick)}</text>'
        )
    for number, row in enumerate(rows):
        y = 26 * number + 13
        begin, end = map(place, row.delays["total"])
        told = " to ".join(map(words.duration, row.delays["total"]))
        parts.append(f'<text x="0" y="{y + 4}">{escape(words.clean(row.receiver)[:26])}</text>')
        parts.append(_rect(begin, y - 5, max(end - begin, 2), 10, "range", told))
        for part in row.delays.keys() & {"connect", "send"}:
            x = place(row.delays[part][1])
            title = f"{part}: 95 % within {words.duration(row.delays[part][1])}"
            parts.append(_rect(x - 1.5, y - 8, 3, 16, part, title))
    return _svg(960, height, parts, "delays of accepted mail", "ranges")
