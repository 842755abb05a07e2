"""How `mxheed throttle` prints what the daemon tells.

Contract: takes the control API's JSON and prints to stdout; remote words are printed as text, never
as markup or terminal control. Failure: none; what is missing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from policyd.serve.spelling import ago, blamed, clock_time, legible, meaning, rate

__all__ = ["explanation", "listing"]

_STYLES = {"free": "green", "slowed": "yellow", "suspended": "bold red", "probing": "cyan"}


def listing(answer: Mapping[str, Any]) -> None:
    """A table with a line for each lane."""
    table = Table(box=None, pad_edge=False)
    for head in ("receiver", "pool", "state", "since", "until", "rate", "waiting"):
        table.add_column(
            head, justify="right" if head in ("rate", "waiting") else "left", no_wrap=True
        )
    table.add_column("what it said last", no_wrap=True, overflow="ellipsis")
    now = float(answer["now"])
    for lane in answer["lanes"]:
        table.add_row(
            Text(str(lane["receiver"])),
            Text(lane.get("pool", "")),
            _state(lane),
            ago(lane["since"], now) if lane.get("since") else "",
            ago(lane["until"], now) if (lane.get("until") or 0) > now else "",
            rate(lane["rate"]) if lane.get("rate") else "",
            str(lane.get("held") or ""),
            Text(legible(_cause(lane))),
        )
    if table.row_count:
        _console().print(table)
    else:
        _console().print("Every receiver is free; nothing is held.")


def explanation(receiver: Mapping[str, Any]) -> None:
    """One receiver in full."""
    console = _console()
    now = float(receiver.get("now", 0.0))
    title = str(receiver.get("name") or receiver["receiver"])
    if title != receiver["receiver"]:
        title += f" ({receiver['receiver']})"
    if not receiver.get("lanes"):
        console.print(f"{title}: free; nothing has been refused lately")
    for lane in receiver.get("lanes", ()):
        pool = f", pool {lane['pool']}" if lane.get("pool") else ""
        console.print(Text(title + pool, style="bold"), _state(lane))
        for line in _lines(lane, now):
            console.print(Text("  " + line), soft_wrap=True)


def _lines(lane: Mapping[str, Any], now: float) -> Iterator[str]:
    if lane.get("since"):
        yield f"since  {clock_time(lane['since'])}, {ago(lane['since'], now)}"
    if (lane.get("until") or 0) > now:
        yield f"until  {clock_time(lane['until'])}, {ago(lane['until'], now)}"
    if lane.get("rate"):
        yield f"rate   {rate(lane['rate'])}"
    window = f" of {lane['window']:.0f}" if lane.get("window") else ""
    yield f"now    {lane.get('in_flight', 0)}{window} in flight, {lane.get('held', 0)} waiting"
    if lane.get("why") and not lane.get("reasons"):
        yield f"why    {legible(lane['why'])}"
    for reason in lane.get("reasons", ()):
        known = f"rule {reason['rule']}" if reason.get("rule") else "no rule knows this text"
        yield (
            f"       {reason['count']} × {reason['category']} ({meaning(reason['category'])}), "
            f"{known}"
        )
        host = f", {legible(reason['host'])}" if reason.get("host") else ""
        scope = f"; it blames {blamed(reason['scope'])}" if reason.get("scope") else ""
        first, last = ago(reason["first"], now), ago(reason["last"], now)
        yield f"         first {first}, last {last}{host}{scope}"
        yield f"         {legible(reason['reply'])}"
    if lane.get("next"):
        yield f"next   {legible(lane['next'])}"


def _state(lane: Mapping[str, Any]) -> Text:
    state = str(lane.get("state", ""))
    marks = "".join(f" ({mark})" for mark in ("pinned", "shadow") if lane.get(mark))
    return Text(state + marks, style=_STYLES.get(state, ""))


def _cause(lane: Mapping[str, Any]) -> str:
    """The reply heard last."""
    last = max(lane.get("reasons", ()), key=lambda reason: reason["last"], default=None)
    return str(last["reply"]) if last else ""


def _console() -> Console:
    """The terminal; into a file or a pipe, wide enough for a reply."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=160)
