"""`mxheed reload`: have the running daemon read its configuration and rules anew.

Contract: ends when the new configuration is in use. Failure: `ControlError` with every mistake of
one that is refused; the old one stays in use.
"""

from __future__ import annotations

from typing import Annotated

import typer

from policyd.cli.running import place
from policyd.web.asking import ask

__all__ = ["register"]

_PATIENCE = 60.0  # reading all rules takes a second, on a machine that is busy more


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def reload(
        socket: Annotated[
            str,
            typer.Option(
                "--socket", help="The daemon's control socket, if not in the usual place."
            ),
        ] = "",
    ) -> None:
        """Have the running daemon read its configuration anew; fails if that is refused."""
        told = ask(place(socket), "POST", "/reload", patience=_PATIENCE)
        rest = told.get("awaiting")
        but = f", but for what only a restart takes: {rest}" if rest else ""
        typer.echo(f"the configuration was read anew and is in use{but}")
