"""`mxheed doctor`: is everything between Postfix and mxheed as it must be?

Failure: exit code 1 when something is wrong; each finding says what to do about it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from policyd import config as configuration
from policyd.doctor import examine
from policyd.doctor_facts import gather

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
        """Look for what is missing or wrong in a running Postfix; run it as root for all checks."""
        findings = list(examine(gather(configuration.load(config))))
        if as_json:
            for finding in findings:
                typer.echo(json.dumps(finding._asdict(), ensure_ascii=False))
        else:
            console = Console(soft_wrap=True)
            for finding in findings:
                console.print(Text(f"{finding.level:>5}  ", _STYLES[finding.level]), end="")
                console.print(Text(finding.what))
                if finding.todo:
                    console.print(Text(f"       → {finding.todo}"))
        if any(finding.level == "wrong" for finding in findings):
            raise typer.Exit(1)
