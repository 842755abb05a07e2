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
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policyd.errors import MxheedError

if TYPE_CHECKING:
    from rich.console import Console

    from policyd.report import ReadLogs, Summary

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
    top: Annotated[
        int | None, typer.Option("--top", "-n", min=1, help="Rows in each table.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All rows of all tables.")] = False,
    domains: Annotated[
        bool, typer.Option("--domains", help="List the domains behind each receiver.")
    ] = False,
    host: Annotated[
        str | None, typer.Option("--host", metavar="NAME", help="Only this machine's lines.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to FILE.")
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
    most = _EVERYTHING if everything else top
    if host is not None:
        reading = _of_host(reading, host)
    show = _Show(reading, sources, most, domains, UTC if utc else None)
    if html is not None:
        show.page(html)
    if as_json:
        show.json()
    elif html is None and reading.recognised:
        show.tables()
    if not reading.recognised and (reading.tally.lines or not reading.problems):
        print(f"mxheed: {_strangers(reading)}", file=sys.stderr)
    for problem in reading.problems:
        print(f"mxheed: {problem}", file=sys.stderr)
    return 1 if reading.problems or not reading.recognised else 0


def _of_host(reading: ReadLogs, host: str) -> ReadLogs:
    """What was counted of one machine, by its short or its long name."""
    from policyd.counting.here import same_machine

    wanted = host.lower().rstrip(".")
    names = [name for name in reading.machines if name and same_machine(name, wanted)]
    if wanted in names:
        names = [wanted]
    if len(names) != 1:
        known = ", ".join(sorted(filter(None, reading.machines))[:10]) or "none is named"
        how = "may be several of the machines" if names else "is no machine"
        raise MxheedError(f"{host} {how} in these logs ({known})")
    return reading._replace(tally=reading.machines[names[0]], machines={})


def _strangers(reading: ReadLogs) -> str:
    """What was read, where none of it is an MTA's."""
    if not reading.tally.lines:
        return "not a single line to read"
    first = reading.first.decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() else "?" for c in first)
    return f"{reading.tally.lines:,} lines, none looks like Postfix or Exim; the first: {shown}"


class _Show:
    """The three forms of a report."""

    def __init__(
        self,
        reading: ReadLogs,
        sources: list[str],
        top: int | None,
        domains: bool,
        zone: tzinfo | None,
    ) -> None:
        self._reading = reading
        self._sources = sources
        self._top = top
        self._domains = domains
        self._zone = zone

    def _summary(self, top: int, receivers: int, columns: int) -> Summary:
        from policyd.report import Settings, summarise

        top = self._top or top
        settings = Settings(top, max(top, receivers), columns, self._domains, self._zone)
        reading = self._reading
        return summarise(reading.tally, self._sources, settings, reading.machines)

    def page(self, path: Path) -> None:
        """The page, in a file."""
        from policyd.report import page

        _write(path, page.render(self._summary(20, 30, 96), self._zone))

    def json(self) -> None:
        """The object, complete unless somebody wants less."""
        from policyd.report import data

        print(data.render(self._summary(_EVERYTHING, self._top or _EVERYTHING, 1_000)))

    def tables(self) -> None:
        """The tables, as wide as the terminal."""
        from policyd.report import text

        console = _console()
        narrow = console.width < _NARROW
        summary = self._summary(8, 14, 12 if narrow else 24)
        console.print(text.render(summary, self._zone, narrow=narrow))


def _with_rotated(files: list[str]) -> list[str]:
    """Each file with its older generations before it."""
    from logparse.rotated import rotated

    found: dict[str, None] = {}
    for file in files:
        if file != "-":
            try:
                found |= dict.fromkeys(entry.path for entry in rotated(file))
            except OSError as error:
                raise MxheedError(f"{error.filename or file}: {error.strerror}") from error
        found[file] = None
    return list(found)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MxheedError(f"{path}: {error.strerror}") from error


def _console() -> Console:
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
