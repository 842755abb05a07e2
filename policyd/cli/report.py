"""`mxheed report`: whole logs in, who defers and rejects and why out.

Contract: tables on stdout, progress on stderr and only where a person watches. Failure: a source
that cannot be read is named on stderr, the report of the others is printed, and the exit code is 1.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from policyd.errors import MxheedError

__all__ = ["register"]

_EVERYTHING = 1_000_000
_WIDE = 132  # columns where stdout is no terminal
_NARROW = 100  # columns below which some are left out


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("report")(report)


def report(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="Logs, also .gz .xz .zst .bz2; - is standard input."),
    ],
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Files read at once; 0: one per processor.")
    ] = 0,
    rotated: Annotated[
        bool, typer.Option("--rotated", help="Also read each FILE's older generations.")
    ] = False,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Rows in each table.")] = 8,
    everything: Annotated[bool, typer.Option("--all", help="All rows of all tables.")] = False,
    domains: Annotated[
        bool, typer.Option("--domains", help="List the domains behind each receiver.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to FILE instead.")
    ] = None,
    site_rules: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="FILE", help="Your own rules too.")
    ] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC, not in local time.")] = False,
) -> int:
    """Read whole logs once and show who defers and rejects, and why."""
    from policyd import report as engine
    from rules import load

    sources = _with_rotated(files) if rotated else files
    ruleset = load(site_rules or [])
    with _progress(engine.total_size(sources)) as progress:
        reading = engine.read_all(
            sources,
            ruleset,
            now=time.time(),
            jobs=jobs or len(os.sched_getaffinity(0)),
            progress=progress,
        )
    top = _EVERYTHING if everything else top
    receivers = max(top, 14)
    zone = UTC if utc else None
    if html is not None:
        from policyd.report import page

        settings = engine.Settings(max(top, 20), max(receivers, 30), 96, domains)
        _write(html, page.render(engine.summarise(reading.tally, sources, settings), zone))
    elif as_json:
        from policyd.report import data

        settings = engine.Settings(top if top != 8 else _EVERYTHING, _EVERYTHING, 1_000, domains)
        print(data.render(engine.summarise(reading.tally, sources, settings)))
    else:
        from policyd.report import text

        console = _console()
        narrow = console.width < _NARROW
        settings = engine.Settings(top, receivers, 12 if narrow else 24, domains)
        summary = engine.summarise(reading.tally, sources, settings)
        console.print(text.render(summary, zone, narrow=narrow))
    for problem in reading.problems:
        print(f"mxheed: {problem}", file=sys.stderr)
    return 1 if reading.problems else 0


def _with_rotated(files: list[str]) -> list[str]:
    from logparse.rotated import rotated

    found = [
        path
        for file in files
        for path in ([*(entry.path for entry in rotated(file)), file] if file != "-" else [file])
    ]
    return list(dict.fromkeys(found))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MxheedError(f"{path}: {error.strerror}") from error


def _console() -> Any:
    """Standard output; wide where it is no terminal and nobody said otherwise."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDE
    return console


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr for work that takes a while, where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=total or None)
        yield lambda done: bar.update(task, completed=done)
