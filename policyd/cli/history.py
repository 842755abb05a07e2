"""`mxheed history`: what a receiver did, by minutes, hours or days, and what was new about it.

a/b/c/d is what a delivery took on average before the queue manager, in it, to connect and to send,
in seconds, as Postfix logs it.
Contract: reads the state file beside the daemon and changes nothing; `--json` prints everything as
one object. Times are local ones, in JSON POSIX seconds.
Failure: `StoreError` where there is no memory to read; that a receiver is not in it is told.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from policyd.cli.at_hand import HELP, at_hand
from policyd.settings.units import duration

if TYPE_CHECKING:
    from policyd.memory.reading import Past, PastCell, PastText
    from policyd.memory.states import Transition

__all__ = ["Json", "StateFile", "UsedConfig", "moment", "past", "register"]

UsedConfig = Annotated[Path | None, typer.Option("--config", "-c", help=HELP)]
StateFile = Annotated[
    Path | None, typer.Option("--state", help="The state file, if not the configuration's.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_SPANS = {"minute": 60, "hour": 3600, "day": 86400}
_HEADS = (
    "from",
    "accepted",
    "deferred",
    "rejected",
    "held",
    "half within",
    "a/b/c/d",
    "replies",
    "state",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("history")(history)


def history(
    receiver: Annotated[str, typer.Argument(help="A receiver's id, such as `google`.")],
    since: Annotated[str, typer.Option(help="How far back, such as 2h or 7d.")] = "1d",
    by: Annotated[str | None, typer.Option(help="minute, hour or day.")] = None,
    config: UsedConfig = None,
    state: StateFile = None,
    as_json: Json = False,
) -> None:
    """Show what a receiver did in the past, how its lanes changed, and what it said anew.

    a/b/c/d: a delivery's seconds before and in the queue manager, to connect and to send.
    """
    now = time.time()
    try:
        begin = now - duration(since)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    if by is not None and by not in _SPANS:
        raise typer.BadParameter(f"{by!r} is none of {', '.join(_SPANS)}")
    span = _SPANS[by] if by else 60 if now - begin <= 7200 else 3600
    memory = past(config, state)
    try:
        cells = memory.cells(receiver, begin, now, span)
        changes = memory.transitions(receiver, begin)
        texts = [text for text in memory.texts(begin) if text.receiver == receiver]
        answer = _answer(receiver, begin, cells, changes, memory)
        answer["texts"] = [text._asdict() for text in texts]
    finally:
        memory.close()
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        _print(
            receiver, since, cells, [*map(_change, changes), *map(_text, texts)], answer["bytes"]
        )


def past(config: Path | None, state: Path | None) -> Past:
    """The memory that a command is about."""
    from policyd.memory.reading import Past
    from policyd.store.place import state_file

    if state is None:
        state = state_file(at_hand(config)[0].state.file, os.environ, os.geteuid())
    return Past.open(state)


def moment(seconds: float) -> str:
    """A time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _answer(
    receiver: str, begin: float, cells: list[PastCell], changes: list[Transition], memory: Past
) -> dict[str, Any]:
    return {
        "receiver": receiver,
        "since": begin,
        "bytes": memory.size(),
        "cells": [_as_json(cell) for cell in cells],
        "transitions": [
            {**change._asdict(), "evidence": json.loads(change.evidence)} for change in changes
        ],
    }


def _as_json(cell: PastCell) -> dict[str, Any]:
    from policyd.memory.cell import DELAY, DELAY_SUM, PART, REPLY, SECONDS

    others = (DELAY, PART, REPLY, SECONDS)
    delays = cell.some(DELAY)
    delays.pop(DELAY_SUM.removeprefix(DELAY), None)
    return {
        "time": cell.time,
        "span": cell.span,
        "outcomes": {w: n for w, n in cell.numbers.items() if not w.startswith(others)},
        "replies": cell.some(REPLY),
        "delays": delays,
        "delay_sum": cell.numbers.get(DELAY_SUM, 0) / 1e6,
        "delay_parts": _parts(cell),
        "seconds": cell.some(SECONDS),
    }


def _print(receiver: str, since: str, cells: list[PastCell], news: list[str], size: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from policyd.web.spelling import legible

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    if not cells and not news:
        console.print(Text(f"nothing is remembered of {legible(receiver)} in the last {since}"))
    if cells:
        table = Table(box=None, pad_edge=False)
        for number, head in enumerate(_HEADS):
            table.add_column(
                head, justify="right" if 0 < number < 7 else "left", no_wrap=number < 7
            )
        for cell in cells:
            table.add_row(*(Text(legible(word)) for word in _row(cell)))
        console.print(table)
    for line in news:
        console.print(Text(legible(line)), soft_wrap=True)
    console.print(Text(f"the state file holds {size / 1e6:.1f} MB"))


def _row(cell: PastCell) -> Iterator[str]:
    from policyd.memory.cell import REPLY, SECONDS

    yield moment(cell.time)[:16]
    for outcome in ("sent", "deferred", "bounced", "held"):
        yield str(cell.numbers.get(outcome, 0) or "")
    yield _median(cell)
    parts = _parts(cell)
    many = parts.pop("count", 0)
    yield "/".join(f"{seconds / many:.2g}" for seconds in parts.values()) if many else ""
    replies = sorted(cell.some(REPLY).items(), key=lambda item: -item[1])
    yield ", ".join(f"{word} {count}" for word, count in replies[:3] if word != "accepted")
    yield ", ".join(f"{state} {count}s" for state, count in cell.some(SECONDS).items())


def _parts(cell: PastCell) -> dict[str, float]:
    """Of how many deliveries the log told them, and the seconds of each part, in its order."""
    from policyd.counting.receivercounts import DELAY_PARTS
    from policyd.memory.cell import PART, PART_COUNT

    count = cell.numbers.get(PART_COUNT, 0)
    sums = {part: cell.numbers.get(PART + part, 0) / 1e3 for part in DELAY_PARTS[:-1]}
    return {"count": count, **sums} if count else {}


def _median(cell: PastCell) -> str:
    """The bound that half of the delays are within."""
    from policyd.counting.histogram import DELAY_BOUNDS
    from policyd.memory.cell import DELAY

    delays = {int(w): n for w, n in cell.some(DELAY).items() if w.isdigit()}
    left = sum(delays.values()) / 2
    for bucket, count in sorted(delays.items()):
        left -= count
        if left <= 0:
            return f"{DELAY_BOUNDS[bucket]:g} s" if bucket < len(DELAY_BOUNDS) else "longer"
    return ""


def _change(change: Transition) -> str:
    words = f"{moment(change.time)}  {change.before} → {change.after} ({change.cause})"
    pool = f" pool {change.pool}" if change.pool else ""
    why = f"  {change.rule or 'no rule'}: {change.reply}" if change.reply else ""
    return words + pool + why


def _text(text: PastText) -> str:
    heard = f"{text.heard}×" if text.heard > 1 else "once"
    return f"{moment(text.first)}  new words, heard {heard}  {text.rule or 'no rule'}: {text.reply}"
