"""The report as one HTML page that needs nothing else and prints well.

Contract: pure; a summary in, the page out. Everything is escaped by the template engine; the only
markup that is let through is made in `charts`. Failure: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from policyd.report import charts, words
from policyd.report.rows import Pain, ReceiverRow, RefusalRow, Summary
from policyd.report.tally import ATTEMPTS, PARTS

__all__ = ["render"]

_CATEGORIES = 12


def render(summary: Summary, zone: tzinfo | None = None) -> str:
    """The whole page."""
    rows = [*summary.receivers, *([summary.rest] if summary.rest else [])]
    names = [_slot_name(slot, summary, zone) for slot in summary.slots]
    whole = _whole(rows, len(names))
    categories = _categories(rows)
    environment = _environment(summary, zone, names, categories)
    return environment.get_template("page.html").render(
        s=summary,
        rows=rows,
        categories=categories,
        names=words.OUTCOMES,
        parts=PARTS,
        period=_period(summary, zone),
        sources=words.clean(", ".join(summary.sources)),
        others=_others(summary),
        timeline=charts.timeline(whole, names),
        ticks=_ticks(names),
        highest=max(map(sum, whole), default=0),
        ranges=charts.ranges(summary.slowest),
        left=", ".join(f"{words.count(n)} {name}" for name, n in summary.left.items() if n),
        spilled=words.spilled(summary),
    )


def _environment(
    summary: Summary, zone: tzinfo | None, names: Sequence[str], categories: Sequence[str]
) -> Environment:
    environment = Environment(
        loader=PackageLoader("policyd.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )

    def span(row: RefusalRow) -> str:
        return words.span(row.first, row.last, summary, zone)

    def when(pain: Pain) -> str:
        return words.when(pain, summary, zone)

    def moment(time: float) -> str:
        return words.moment(time, summary, zone)

    def bar(row: ReceiverRow) -> Markup:
        sent, deferred, bounced = (row.outcomes.get(outcome, 0) for outcome in ATTEMPTS)
        return charts.outcome_bar(sent, deferred, bounced)

    def heat(row: ReceiverRow) -> Markup:
        return charts.heat(row.heat, names[: len(row.heat)])

    def cells(row: ReceiverRow) -> list[float]:
        sums = dict.fromkeys(categories, 0.0)
        for _, category, _, part in row.reasons:
            if category in sums:
                sums[category] += part
        return list(sums.values())

    environment.filters.update(
        count=words.count, share=words.share, many=words.many, delays=words.delays,
        clean=words.clean,
        meaning=words.meaning, span=span, when=when, moment=moment, bar=bar, heat=heat, cells=cells,
        level=_level,
    )  # fmt: skip
    return environment


def _level(part: float) -> int:
    """How dark a cell is: 1 to 4."""
    return 1 + (part >= 0.02) + (part >= 0.1) + (part >= 0.3)


def _categories(rows: Sequence[ReceiverRow]) -> list[str]:
    """The categories that matter most in these rows, in alphabetical order."""
    sums: dict[str, int] = {}
    for row in rows:
        for _, category, count, _ in row.reasons:
            sums[category] = sums.get(category, 0) + count
    return sorted(sorted(sums, key=lambda category: -sums[category])[:_CATEGORIES])


def _whole(rows: Sequence[ReceiverRow], slots: int) -> list[charts.Slot]:
    """All receivers' attempts, slot by slot."""
    sums = [[0, 0, 0] for _ in range(slots)]
    for row in rows:
        for place, slot in enumerate(row.heat):
            sums[place] = [a + b for a, b in zip(sums[place], slot, strict=True)]
    return [(sent, deferred, bounced) for sent, deferred, bounced in sums]


def _ticks(names: Sequence[str]) -> list[tuple[str, str]]:
    """About eight places on the time axis: (percent from the left, name)."""
    step = max(1, len(names) // 8)
    return [
        (f"{100 * place / len(names):.2f}", names[place]) for place in range(0, len(names), step)
    ]


def _slot_name(slot: float, summary: Summary, zone: tzinfo | None) -> str:
    at = datetime.fromtimestamp(slot, zone)
    if summary.slot_hours >= 24:
        return f"{at:%d %b}"
    return f"{at:%H:%M}" if summary.last - summary.first < 86_400 else f"{at:%d %b %H:%M}"


def _period(summary: Summary, zone: tzinfo | None) -> str:
    if not summary.first:
        return "no delivery"
    first, last = (datetime.fromtimestamp(time, zone) for time in (summary.first, summary.last))
    if first.date() == last.date():
        return f"{first:%A %d %B %Y, %H:%M} – {last:%H:%M}"
    return f"{first:%a %d %b %Y %H:%M} – {last:%a %d %b %Y %H:%M}"


def _others(summary: Summary) -> str:
    return ", ".join(
        f"{words.count(summary.outcomes[outcome])} {name}"
        for outcome, name in words.OUTCOMES.items()
        if outcome not in ATTEMPTS and summary.outcomes.get(outcome)
    )
