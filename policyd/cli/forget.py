"""`mxheed forget`: take an address out of the memory.

Contract: afterwards no byte of the address stands in the state file; what the log says of it from
then on is noted again. Failure: `StoreError` where the file cannot be written.
"""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from policyd.cli.at_hand import at_hand
from policyd.cli.history import StateFile, UsedConfig

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget")(forget)


def forget(
    address: Annotated[str, typer.Argument(help="A mailbox, such as user@example.org.")],
    config: UsedConfig = None,
    state: StateFile = None,
) -> None:
    """Take an address out of all that is remembered; see docs/privacy.md."""
    from policyd.memory.forgetting import forget as forget_in
    from policyd.store.place import state_file

    if "@" not in address.strip("@"):
        raise typer.BadParameter(f"{address!r} is no address: there is no @ in it")
    settings = at_hand(config)[0]
    path = state or state_file(settings.state.file, os.environ, os.geteuid())
    wait = min(settings.log.commit_interval, 60.0) + 0.5  # what the daemon is about to write
    gone = forget_in(path, address, lambda: time.sleep(wait))
    typer.echo(f"{gone} entries are gone; no byte of the address is left in {path}")
