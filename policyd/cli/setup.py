"""`mxheed setup postfix`: print what Postfix needs for the configuration at hand.

Contract: prints, never edits. A running daemon is asked for the recipient limits it has learnt;
none running is no error. Failure: a bad configuration, as `mxheed check` tells it.
"""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from policyd import config as configuration
from policyd.setup import QUEUE_DIRECTORY, fragments, learnt_limits

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
        learnt = _learnt(at_hand.serve.http)
        pieces = fragments(
            at_hand.serve, at_hand.pacing, at_hand.log.pools, queue_directory, learnt
        )
        ordered = sorted(pieces, key=lambda piece: piece.file)
        for file, parts in groupby(ordered, key=lambda piece: piece.file):
            typer.echo(f"### to be added to {file}\n")
            for part in parts:
                typer.echo(part.text)
        typer.echo("### then: postfix check && postfix reload && mxheed doctor")

    @group.callback()
    def _group() -> None:
        """Print the configuration that an MTA needs; nothing is edited."""


def _learnt(addresses: Sequence[str]) -> dict[str, int]:
    """What a running daemon has learnt; nothing if none answers."""
    for address in addresses:
        if not address.startswith("inet:"):
            continue
        url = f"http://{address.removeprefix('inet:')}/metrics"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1.0) as answer:
            return learnt_limits(answer.read().decode())
    return {}
