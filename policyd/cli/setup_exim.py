"""`mxheed setup exim`: the lines for Exim's configuration, printed; nothing is edited.

Contract: made for the Exim that is here, and for the daemon that runs, or would run with this
configuration. Failure: `MxheedError` where there is no Exim, or it does not tell how it is set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from policyd.cli.at_hand import HELP, at_hand, option
from policyd.errors import MxheedError
from policyd.exim.config import look
from policyd.exim.places import places
from policyd.exim.setup import commands, fragment, wanted

__all__ = ["exim"]


def exim(
    config: Annotated[Path | None, typer.Option("--config", "-c", help=HELP)] = None,
    pool: Annotated[
        str, typer.Option("--pool", help="The pool of source addresses that this Exim sends from.")
    ] = "",
    as_commands: Annotated[
        bool,
        typer.Option("--commands", help="Print commands for a shell instead: read, then `| sh`."),
    ] = False,
) -> None:
    """Print the lines for Exim's configuration (Debian's, or a plain file); nothing is edited."""
    settings, path = at_hand(config)
    there = look(settings.release.exim)
    if there is None:
        raise MxheedError("there is no Exim here (release.exim names its command)")
    socket, alive = places(settings.serve, os.environ, os.geteuid())
    piece = fragment(there, wanted(there, socket, alive, pool))
    then = f"{piece.then} && {' '.join(('mxheed', 'doctor', *option(path)))}"
    if as_commands:
        typer.echo(commands(piece, there.layout) + then)
        return
    typer.echo(f"### {piece.how} {piece.file}\n\n{piece.text}\n### then: {then}")
