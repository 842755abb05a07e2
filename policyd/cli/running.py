"""The running daemon that a command speaks to.

Contract: `place` is the socket that was named, else the first at which a daemon listens that may be
trusted there; where that is not the usual one, it says so on standard error.
Failure: `ControlError` with all places that were looked at.
"""

from __future__ import annotations

import os

import typer

from policyd.serve.paths import SocketPlace, control_places
from policyd.web.asking import find

__all__ = ["place"]


def place(socket: str) -> SocketPlace:
    """Where to ask."""
    places = control_places(socket, os.environ, os.geteuid())
    found = find(places).place if len(places) > 1 else places[0]
    if found is not places[0]:
        typer.echo(f"asking the daemon at {found.path}", err=True)
    return found
