"""Work on rules: `mxheed rules coverage` measures them on a corpus, `mxheed rules new` drafts one.

Contract: a corpus is JSON lines (with labels or without) or a delivery log of Postfix or Exim,
plain or packed. A draft is printed, or put into a site file if it still loads with it.
Failure: `RulesError` names what cannot be read, drafted or written; a file is never left half
written.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rules.coverage import Coverage, Sample

__all__ = ["AsJson", "Site", "coverage", "new", "new_table"]

Site = Annotated[
    list[Path] | None, typer.Option("--rules", metavar="FILE", help="Your own rules too.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def coverage(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPUS…",
            help='Logs, or JSON lines with "reply", "mx", "stage" and, if it is known, "category".',
        ),
    ],
    site: Site = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Rows in each table.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show which rules a corpus sets off, what stays unknown, and how often labels are met."""
    from rules import Classifier, load
    from rules.coverage import measure

    samples = (sample for path in corpus for sample in _samples(path))
    found = measure(Classifier(load(site or ())), samples)
    if as_json:
        typer.echo(json.dumps(_plain(found)))
    else:
        _show(found, top)


def new(
    replies: Annotated[
        list[str], typer.Argument(metavar="REPLY…", help="The reply, or several of its kind.")
    ],
    mx: Annotated[
        str | None, typer.Option("--mx", metavar="HOST", help="The MX host that said it.")
    ] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="When it was said.")] = None,
    site: Site = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write it there; a file gets one more rule."),
    ] = None,
) -> None:
    """Draft a site rule that wins a reply (or all of several), ready to edit."""
    from rules import Classifier, load
    from rules.draft import draft

    today = datetime.now(UTC).date().isoformat()
    files = [*(site or ()), *([to] if to and to.exists() else [])]
    text = draft(Classifier(load(files)), replies, mx=mx, stage=stage, seen=today)
    if to is None:
        typer.echo(text, nl=False)
        return
    _put(to, text, site or [])
    typer.echo(f"{to}: " + ("one more rule" if to in files else "written"))


def _put(file: Path, text: str, others: list[Path]) -> None:
    """Write a draft, or add its rule to a file that exists; only if the rules load with it."""
    from rules import RulesError, load

    whole = text
    if file.exists():
        before = file.read_text(encoding="utf-8").rstrip("\n")
        whole = before + "\n\n" + text.partition("rules:\n")[2]
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(whole, encoding="utf-8")
        load([*others, draft])
        draft.replace(file)
    except RulesError as wrong:
        raise RulesError(
            f"{file} was not changed: with the draft at its end it does not load "
            f"({wrong.problems[0].message if wrong.problems else wrong}); "
            "write it to a file of its own"
        ) from wrong
    except OSError as wrong:
        raise RulesError(f"{file}: cannot be written: {wrong.strerror}") from wrong
    finally:
        draft.unlink(missing_ok=True)


def _samples(path: Path) -> Iterator[Sample]:
    """What a file holds: JSON lines, or the deliveries of a log."""
    from policyd.report.read import blocks
    from rules import RulesError

    try:
        with path.open("rb") as start:
            labelled = start.read(1) == b"{" and b'"reply"' in start.read(65536)
        if labelled:
            yield from _rows(path)
        else:
            yield from _logged(blocks(io.FileIO(path)), os.stat(path).st_mtime)
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror or error}") from error


def _rows(path: Path) -> Iterator[Sample]:
    from policyd.cli.rows import rows
    from rules.coverage import Sample

    with path.open(encoding="utf-8", errors="backslashreplace") as lines:
        for row in rows(lines, str(path)):
            yield Sample(row.reply, row.mx, row.stage, row.right)


def _logged(blocks: Iterator[bytes], now: float) -> Iterator[Sample]:
    from logparse.auto import AutoParser
    from logparse.events import Delivery
    from rules.coverage import Sample

    parser = AutoParser(removed=False)
    for block in blocks:
        for event in parser.feed(block, now):
            if isinstance(event, Delivery) and event.reply and event.outcome != "sent":
                yield Sample(event.reply, event.host, event.stage)


def _plain(found: Coverage) -> dict[str, object]:
    return {
        "replies": found.replies,
        "known": round(found.share, 4),
        "labelled": found.labelled,
        "accuracy": None if found.accuracy is None else round(found.accuracy, 4),
        "wrong": [
            {
                "wanted": wanted,
                "got": got,
                "rule": rule,
                "count": count,
                "reply": found.missed[miss],
            }
            for miss, count in found.wrong.most_common()
            for wanted, got, rule in [miss]
        ],
        "categories": dict(found.categories.most_common()),
        "rules": dict(found.rules.most_common()),
        "unknown": [
            {"count": count, "template": shape, "reply": found.samples[shape]}
            for shape, count in found.unknown.most_common()
        ],
        "silent": list(found.silent),
    }


def _show(found: Coverage, top: int) -> None:
    from rich.markup import escape

    console, table = new_table("replies", "rule")
    for name, count in found.rules.most_common(top):
        table.add_row(str(count), name)
    console.print(table)
    if found.unknown:
        _, unknown = new_table("replies", "unknown text")
        for shape, count in found.unknown.most_common(top):
            unknown.add_row(str(count), escape(shape))
        console.print(unknown)
    if found.wrong:
        _, wrong = new_table("replies", "wanted", "got", "by", "such as")
        for miss, count in found.wrong.most_common(top):
            wrong.add_row(str(count), *map(escape, (*miss, found.missed[miss][:120])))
        console.print(wrong)
    console.print(
        f"{found.replies} replies, {found.share:.1%} known, {len(found.rules)} rules fired, "
        f"{len(found.silent)} did not, {len(found.unknown)} unknown texts"
    )
    if found.accuracy is not None:
        console.print(f"{found.right} of {found.labelled} labels met: {found.accuracy:.1%}")


def new_table(*columns: str) -> tuple[Console, Table]:
    """A console and an empty table."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return console, table
