"""`mxheed doctor`: is everything between Postfix or Exim and mxheed as it must be?

Contract: reads only. Exit code 0: nothing is wrong; 1: something is; `UNCHECKED`: nothing was found
wrong, but not everything could be looked at. No failure of our own has that code. Each finding that
is not fine says what to do.
Failure: a bad configuration, as `mxheed check` tells it (1).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from policyd.cli.at_hand import HELP, at_hand
from policyd.config import Config
from policyd.doctor import CHECKS, WITHOUT_POSTFIX, examine
from policyd.doctor.exim import EximSeen
from policyd.doctor.exim import findings as exim_findings
from policyd.doctor.eximseen import seen as exim_seen
from policyd.doctor.gather import Machine, gather, machine
from policyd.doctor.values import Finding, Level

__all__ = ["UNCHECKED", "register"]

UNCHECKED = 4

_STYLES = {"fine": "green", "note": "yellow", "wrong": "bold red", "unchecked": "magenta"}
_WORDS: dict[Level, str] = {"wrong": "wrong", "note": "to note", "unchecked": "not checked"}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor(
        config: Annotated[Path | None, typer.Option("--config", "-c", help=HELP)] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="One JSON object for each finding.")
        ] = False,
    ) -> None:
        """Look for what is wrong between Postfix or Exim and mxheed; run it as root for all checks.

        Several instances (release.config_directory) are looked at one after the other. Exit code 1:
        something is wrong; 4: nothing was found wrong, but something could not be checked.
        """
        settings, path = at_hand(config)
        around = machine(settings)
        exim = _exim(settings, around)
        found: list[Finding] = []
        for number, directory in enumerate(settings.release.config_directory or ("",)):
            facts = gather(settings, around, directory, str(path or ""))
            alone = exim is not None and "postfix" in facts.missing and not directory
            checks = WITHOUT_POSTFIX if alone else CHECKS
            findings = list(examine(facts, checks, first=number == 0))
            (_as_json if as_json else _as_text)(findings, directory)
            found += findings
        if exim is not None:
            findings = list(exim_findings(exim))
            (_as_json if as_json else _as_text)(findings, "")
            found += findings
        counts = Counter(finding.level for finding in found)
        if not as_json:
            typer.echo(", ".join(_told(counts)) or "all is well")
        if counts["wrong"] or counts["unchecked"]:
            raise typer.Exit(1 if counts["wrong"] else UNCHECKED)


def _exim(settings: Config, around: Machine) -> EximSeen | None:
    """The machine's Exim; None: there is none."""
    return exim_seen(settings, around.daemon)


def _told(counts: Counter[Level]) -> Iterator[str]:
    return (f"{counts[level]} {words}" for level, words in _WORDS.items() if counts[level])


def _as_json(findings: Sequence[Finding], directory: str) -> None:
    for finding in findings:
        told = finding._asdict() | {"config_directory": directory}
        typer.echo(json.dumps(told, ensure_ascii=False))


def _as_text(findings: Sequence[Finding], directory: str) -> None:
    console = Console(soft_wrap=True)
    if directory:
        console.print(Text(f"{directory}:", "bold"))
    for finding in findings:
        console.print(Text(f"{finding.level:<10}", _STYLES[finding.level]), end="")
        console.print(Text(finding.what))
        if finding.todo:
            console.print(Text(f"           → {finding.todo}"))
