"""The report for a terminal: who refuses and why first, two screens in all.

Contract: pure; a summary in, something rich can print out. Foreign text is never markup and never
reaches the terminal with control characters. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from policyd.report import words
from policyd.report.rows import ReceiverRow, Summary, TextRow
from policyd.report.tally import PARTS

__all__ = ["render"]

_BARS = "▁▂▃▄▅▆▇█"
_STYLES = {"deferred": "yellow", "bounced": "red"}


def render(summary: Summary, zone: tzinfo | None = None, *, narrow: bool = False) -> RenderableType:
    """All sections, one below the other; `narrow` leaves out columns to suit 80 characters."""
    return Group(*_sections(summary, zone, narrow))


def _sections(summary: Summary, zone: tzinfo | None, narrow: bool) -> Iterator[RenderableType]:
    yield _head(summary, zone)
    if not summary.attempts:
        yield Text("No delivery was attempted in this log, or it is none of Postfix or Exim.")
        return
    if summary.pains:
        yield from _titled("Who refuses, and why", _pains(summary, zone, narrow))
    yield from _titled("Receivers", _receivers(summary, zone, narrow))
    if summary.machines:
        yield from _titled("Machines that sent it", _machines(summary))
    if summary.refusals:
        yield from _titled("Biggest refusals", _refusals(summary))
    if summary.slowest:
        yield from _titled("Slowest (accepted mail: median · 95 %)", _slowest(summary, narrow))
    if summary.newest:
        yield from _titled("Newest words (first heard)", _newest(summary, zone))
    if summary.unclassified:
        yield from _titled("Unclassified (no rule knows them)", _unclassified(summary))
    if summary.domains:
        yield from _titled("Domains behind each receiver", _domains(summary))
    yield from _foot(summary)


def _titled(title: str, body: RenderableType) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", style="bold cyan")
    yield body


def _head(summary: Summary, zone: tzinfo | None) -> Text:
    text = Text()
    names = ", ".join(summary.sources[:4]) + (", …" if len(summary.sources) > 4 else "")
    text.append(words.clean(names) or "log", style="bold")
    text.append(f" · {words.many(summary.lines, 'line')}")
    if summary.first:
        first, last = (datetime.fromtimestamp(t, zone) for t in (summary.first, summary.last))
        end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%a %d %b %Y %H:%M}"
        text.append(f" · {first:%a %d %b %Y %H:%M} – {end}")
    if summary.unparsed:
        text.append(f" · {words.count(summary.unparsed)} unparsed", style="red")
    if summary.undated:
        text.append(
            f" · {words.many(summary.undated, 'line')} without a readable time", style="red"
        )
    if summary.gap:
        text.append(f" · {words.count(summary.gap)} bytes missing", style="red")
    text.append(f"\n{words.many(summary.attempts, 'attempt')}")
    for outcome, name in words.OUTCOMES.items():
        number = summary.outcomes.get(outcome, 0)
        if number or outcome in ("sent", "deferred", "bounced"):
            text.append(f" · {words.count(number)} {name}", style=_STYLES.get(outcome, ""))
            if outcome in ("sent", "deferred", "bounced") and summary.attempts:
                text.append(f" ({words.share(number / summary.attempts)})")
    return text


def _table(*columns: tuple[str, str], grow: int = -1) -> Table:
    """A borderless table; `grow` is the column that takes what is left and is cut to fit."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim", expand=True)
    for number, (title, justify) in enumerate(columns):
        last = number == grow % len(columns)
        table.add_column(
            Text(title),
            justify="right" if justify == "right" else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if last else None,
        )
    return table


def _machines(summary: Summary) -> Table:
    names = ("sent", "deferred", "bounced")
    table = _table(("machine", "left"), ("lines", "right"), *((name, "right") for name in names))
    for row in summary.machines:
        counts = (words.count(row.outcomes.get(name, 0)) for name in names)
        table.add_row(words.clean(row.host) or "(not named)", words.count(row.lines), *counts)
    return table


def _pains(summary: Summary, zone: tzinfo | None, narrow: bool) -> Table:
    table = _table(*[("", "left")] * (4 if narrow else 5), grow=3 if narrow else -1)
    table.show_header = False
    for pain in summary.pains:
        style = _STYLES[pain.outcome]
        what = f"{words.share(pain.share):>5} {words.OUTCOMES[pain.outcome]}"
        cells = [
            Text(words.clean(pain.receiver), style="bold"),
            Text(what, style=style),
            Text(words.meaning(pain)),
            Text(f"{pain.category} ×{words.count(pain.count)}", style="dim"),
            Text(words.when(pain, summary, zone), style="dim"),
        ]
        table.add_row(*(cells[:3] + cells[4:] if narrow else cells))
    return table


def _receivers(summary: Summary, zone: tzinfo | None, narrow: bool) -> Table:
    columns = [
        ("receiver", "left"),
        ("domains", "right"),
        ("attempts", "right"),
        ("deferred", "right"),
        ("rejected", "right"),
        (words.axis(summary, zone), "left"),
        ("reasons", "left"),
    ]
    table = _table(*(columns[:1] + columns[2:] if narrow else columns))
    for row in (*summary.receivers, *((summary.rest,) if summary.rest else ())):
        cells = [
            Text(words.clean(row.receiver), style="dim" if row is summary.rest else "bold"),
            Text(words.count(row.domains)),
            Text(words.count(row.attempts)),
            Text(words.share(row.deferred_share), style=_STYLES["deferred"]),
            Text(words.share(row.rejected_share), style=_STYLES["bounced"]),
            _heat(row),
            _reasons(row),
        ]
        table.add_row(*(cells[:1] + cells[2:] if narrow else cells))
    return table


def _reasons(row: ReceiverRow) -> Text:
    text = Text()
    for outcome, category, _, part in row.reasons[:3]:
        text.append(" · " if text else "")
        text.append(category, style=_STYLES[outcome])
        text.append(f" {words.share(part)}")
    return text


def _heat(row: ReceiverRow) -> Text:
    """A bar a slot: how much was refused; a dot where nothing was tried, a blank where all went."""
    text = Text()
    for sent, deferred, bounced in row.heat:
        tried = sent + deferred + bounced
        if not tried:
            text.append("·", style="dim")
        elif not deferred + bounced:
            text.append("▁", style="green")
        else:
            part = (deferred + bounced) / tried
            style = "red" if bounced > deferred else "yellow"
            text.append(_BARS[min(7, 1 + int(part * 7))], style=style)
    return text


def _refusals(summary: Summary) -> Table:
    table = _table(
        ("", "right"), ("receiver", "left"), ("outcome", "left"), ("rule", "left"), ("sample", "")
    )
    for row in summary.refusals:
        table.add_row(
            words.count(row.recipients),
            Text(words.clean(row.receiver), style="bold"),
            Text(words.OUTCOMES[row.outcome], style=_STYLES[row.outcome]),
            Text(row.rule or "(unclassified)"),
            Text(words.clean(row.sample), style="dim"),
        )
    return table


def _slowest(summary: Summary, narrow: bool) -> Table:
    parts = [part for part in PARTS if not (narrow and part.endswith("_queue"))]
    titles = [part.replace("_", " ") for part in parts]
    table = _table(
        ("receiver", "left"), ("", "right"), *((title, "right") for title in titles), grow=0
    )
    for row in summary.slowest:
        cells = [
            Text(words.delays(row.delays.get(part)), style="" if number else "bold")
            for number, part in enumerate(parts)
        ]
        name = Text(words.clean(row.receiver), style="bold")
        table.add_row(name, words.count(row.deliveries), *cells)
    return table


def _newest(summary: Summary, zone: tzinfo | None) -> Table:
    table = _table(("", "left"), ("", "right"), ("", "left"), ("", "left"), ("", "left"))
    table.show_header = False
    for row in summary.newest:
        table.add_row(
            words.moment(row.first, summary, zone),
            f"×{words.count(row.count)}",
            _speakers(row),
            row.category,
            Text(words.clean(row.text), style="dim"),
        )
    return table


def _unclassified(summary: Summary) -> Table:
    table = _table(("", "right"), ("receiver", "left"), ("text", "left"))
    for row in summary.unclassified:
        table.add_row(
            words.count(row.count),
            _speakers(row),
            Text(words.clean(row.text)),
        )
    return table


def _speakers(row: TextRow) -> Text:
    """Who says it: the first, and how many others."""
    text = Text(words.clean(row.receiver), style="bold")
    if row.receivers > 1:
        text.append(f" +{row.receivers - 1}", style="dim")
    return text


def _domains(summary: Summary) -> Table:
    table = _table(("", "left"), ("", "right"), ("", "left"))
    table.show_header = False
    for row in summary.domains:
        names = ", ".join(f"{name} {words.count(number)}" for name, number in row.names)
        table.add_row(
            Text(words.clean(row.receiver), style="bold"),
            words.many(row.total, "domain"),
            words.clean(names),
        )
    return table


def _foot(summary: Summary) -> Iterator[Text]:
    left = [f"{words.count(n)} {name}" for name, n in summary.left.items() if n]
    if left:
        yield Text(f"\nLeft out: {', '.join(left)} (--top N, --all, --json).", style="dim")
    for sentence in words.spilled(summary):
        yield Text(f"{sentence}.", style="red")
