"""`mxheed check`: is this configuration whole and valid? The same loader as start and reload.

Failure: exit code 1 with every mistake as file:line:column.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyd import config as configuration
from policyd.cli.manual import sample

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def check(
        file: Annotated[
            Path | None,
            typer.Argument(metavar="FILE", help="The configuration file; none: the defaults."),
        ] = None,
        config: Annotated[
            Path | None, typer.Option("--config", "-c", help="The same as FILE.")
        ] = None,
        defaults: Annotated[
            bool,
            typer.Option("--defaults", help="Print a whole commented configuration and stop."),
        ] = False,
    ) -> None:
        """Check a configuration and its site rules; print all mistakes with their places."""
        if defaults:
            typer.echo(sample(), nl=False)
            return
        if file is not None and config is not None:
            raise typer.BadParameter("name the file once: FILE or --config FILE")
        chosen = config if file is None else file
        configuration.load(chosen)
        typer.echo(f"{chosen or 'the embedded defaults'}: no mistakes")
