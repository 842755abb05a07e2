"""`mxheed doctor`: is everything between Postfix and mxheed as it must be?

Failure: exit code 1 when something is wrong; each finding says what to do about it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from policyd import config as configuration
from policyd.doctor import examine
from policyd.doctor_facts import gather
from policyd.doctor_values import Finding

__all__ = ["register"]

_STYLES = {"fine": "green", "note": "yellow", "wrong": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def doctor(
        config: Annotated[
            Path | None,
            typer.Option("--config", "-c", help="The configuration that the daemon runs with."),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="One JSON object for each finding.")
        ] = False,
    ) -> None:
        """Look for what is missing or wrong in a running Postfix; run it as root for all checks.

        Several instances (release.config_directory) are looked at one after the other.
        """
        at_hand = configuration.load(config)
        wrong = False
        for directory in at_hand.release.config_directory or ("",):
            findings = list(examine(gather(at_hand, directory)))
            (_as_json if as_json else _as_text)(findings, directory)
            wrong = wrong or any(finding.level == "wrong" for finding in findings)
        if wrong:
            raise typer.Exit(1)


def _as_json(findings: Sequence[Finding], directory: str) -> None:
    for finding in findings:
        told = finding._asdict() | {"config_directory": directory}
        typer.echo(json.dumps(told, ensure_ascii=False))


def _as_text(findings: Sequence[Finding], directory: str) -> None:
    console = Console(soft_wrap=True)
    if directory:
        console.print(Text(f"{directory}:", "bold"))
    for finding in findings:
        console.print(Text(f"{finding.level:>5}  ", _STYLES[finding.level]), end="")
        console.print(Text(finding.what))
        if finding.todo:
            console.print(Text(f"       → {finding.todo}"))
