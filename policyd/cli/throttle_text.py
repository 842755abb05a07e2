"""How `mxheed throttle` prints what the daemon tells.

Contract: takes the control API's JSON and prints to stdout; remote words are printed as text, never
as markup or terminal control. Failure: none; what is missing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from policyd.web.spelling import ago, blamed, clock_time, legible, meaning, rate

__all__ = ["explanation", "listing"]

_HEADS = ("receiver", "pool", "sender", "state", "since", "until", "rate", "held", "deferred")
_NUMBERS = 6  # from here on, columns of numbers
_STYLES = {"free": "green", "slowed": "yellow", "suspended": "bold red", "probing": "cyan"}


def listing(answer: Mapping[str, Any]) -> None:
    """A table with a line for each lane; columns that nobody fills are left out."""
    now = float(answer["now"])
    rows = [_row(lane, now) for lane in answer["lanes"]]
    if not answer.get("active", True):
        _console().print(
            "mxheed is off (it has stepped aside): nothing is held, no state has an effect; "
            "`mxheed on` paces again.",
            soft_wrap=True,
        )
    elif answer.get("mode") == "shadow":
        _console().print(
            "mxheed is in shadow: states are computed and nothing is held (pacing.shadow).",
            soft_wrap=True,
        )
    if not rows:
        _console().print("Every receiver is free; nothing is held.")
        return
    table = Table(box=None, pad_edge=False)
    told = [number for number in range(len(_HEADS)) if any(row[number].plain for row in rows)]
    used = 0
    for number in told:
        widest = max(len(_HEADS[number]), *(row[number].cell_len for row in rows))
        justify: Literal["left", "right"] = "right" if number >= _NUMBERS else "left"
        table.add_column(_HEADS[number], justify=justify, min_width=widest, no_wrap=True)
        used += widest + 1
    # the reply gets what is left of the line, so that the numbers are never squeezed out
    left = max(20, _console().width - used)
    table.add_column("what it said last", max_width=left, no_wrap=True, overflow="ellipsis")
    for row, lane in zip(rows, answer["lanes"], strict=True):
        said = Text(legible(_cause(lane)))
        said.truncate(left, overflow="ellipsis")
        table.add_row(*(row[number] for number in told), said)
    _console().print(table)


def _row(lane: Mapping[str, Any], now: float) -> tuple[Text, ...]:
    """The cells of a lane, in the order of `_HEADS`."""
    return (
        Text(str(lane["receiver"])),
        Text(lane.get("pool", "")),
        Text(legible(lane.get("sender", ""))),
        _state(lane),
        Text(ago(lane["since"], now) if lane.get("since") else ""),
        Text(ago(lane["until"], now) if (lane.get("until") or 0) > now else ""),
        Text(rate(lane["rate"]) if lane.get("rate") else ""),
        Text(str(lane.get("held") or "")),
        Text(str(lane.get("deferred") or "")),
    )


def explanation(receiver: Mapping[str, Any]) -> None:
    """One receiver in full."""
    console = _console()
    now = float(receiver.get("now", 0.0))
    title = str(receiver.get("name") or receiver["receiver"])
    if title != receiver["receiver"]:
        title += f" ({receiver['receiver']})"
    if not receiver.get("lanes"):
        console.print(f"{title}: free; nothing was sent there yet")
    for lane in receiver.get("lanes", ()):
        pool = f", pool {lane['pool']}" if lane.get("pool") else ""
        sender = f", mail from {legible(lane['sender'])}" if lane.get("sender") else ""
        console.print(Text(title + pool + sender, style="bold"), _state(lane))
        for line in _lines(lane, now):
            console.print(Text("  " + line), soft_wrap=True)


def _lines(lane: Mapping[str, Any], now: float) -> Iterator[str]:
    if lane.get("since"):
        yield f"since  {clock_time(lane['since'])}, {ago(lane['since'], now)}{_stops(lane, now)}"
    if (lane.get("until") or 0) > now:
        yield f"until  {clock_time(lane['until'])}, {ago(lane['until'], now)}"
    if lane.get("rate"):
        yield f"rate   {rate(lane['rate'])}"
    waits = f"{lane.get('held', 0)} held by us, {lane.get('deferred', 0)} deferred by them"
    window = f" of {lane['window']:.0f}" if lane.get("window") else ""
    yield f"now    {lane.get('in_flight', 0)}{window} in flight, {waits}"
    if (why := lane.get("why")) and not lane.get("reasons"):
        why = why.removesuffix(lane.get("next") or "").rstrip()  # that line follows
        yield f"why    {legible(why)}"
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


def _stops(lane: Mapping[str, Any], now: float) -> str:
    """How often it was stopped since then, where that is more than once."""
    if (stops := int(lane.get("stops", 0))) < 2:
        return ""
    return f", {stops} stops; {lane.get('state')} since {ago(lane.get('changed', now), now)}"


def _state(lane: Mapping[str, Any]) -> Text:
    state = str(lane.get("state", ""))
    marks = "".join(f" ({mark})" for mark in ("pinned", "off", "shadow") if lane.get(mark))
    return Text(state + marks, style=_STYLES.get(state, ""))


def _cause(lane: Mapping[str, Any]) -> str:
    """The reply heard last."""
    last = max(lane.get("reasons", ()), key=lambda reason: reason["last"], default=None)
    return str(last["reply"]) if last else ""


def _console() -> Console:
    """The terminal; into a file or a pipe, wide enough for a reply."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=160)
