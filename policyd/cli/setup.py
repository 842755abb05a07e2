"""`mxheed setup postfix`: print what Postfix needs for the configuration at hand.

Contract: prints, never edits. Failure: a bad configuration, as `mxheed check` tells it.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from policyd import config as configuration
from policyd.setup import QUEUE_DIRECTORY, fragments

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="Print the configuration that an MTA needs.", no_args_is_help=True)
    app.add_typer(group, name="setup")

    @group.command()
    def postfix(
        config: Annotated[
            Path | None,
            typer.Option("--config", "-c", help="The configuration file; without: the defaults."),
        ] = None,
        queue_directory: Annotated[
            str,
            typer.Option(
                "--queue-directory",
                help="Postfix's queue directory: unix sockets below it are named relative to it, "
                "for chrooted services.",
            ),
        ] = QUEUE_DIRECTORY,
    ) -> None:
        """Print the lines for main.cf and master.cf; nothing is edited."""
        at_hand = configuration.load(config)
        pieces = fragments(at_hand.serve, at_hand.pacing, at_hand.log.pools, queue_directory)
        ordered = sorted(pieces, key=lambda piece: piece.file)
        for file, parts in groupby(ordered, key=lambda piece: piece.file):
            typer.echo(f"### to be added to {file}\n")
            for part in parts:
                typer.echo(part.text)
        typer.echo("### then: postfix check && postfix reload && mxheed doctor")

    @group.callback()
    def _group() -> None:
        """Print the configuration that an MTA needs; nothing is edited."""
