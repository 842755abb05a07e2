"""`mxheed exim-hand`: the service that has the right to move Exim's queue.

Contract: runs until it is ended, on the socket that systemd passes (`exim-hand`), or the one named.
Failure: `MxheedError` where there is no socket.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Annotated

import typer

from policyd.errors import MxheedError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="exim-hand")
    def exim_hand(
        socket: Annotated[
            str,
            typer.Option(
                "--socket", help="Listen here (unix:/path) instead of where systemd says."
            ),
        ] = "",
        exim: Annotated[
            str, typer.Option("--exim", help="Exim's command, if it has another name.")
        ] = "",
    ) -> None:
        """Let messages of Exim's queue go for the daemon; a service of its own, for its rights."""
        from policyd.exim.service import serve
        from policyd.serve.listen import inherited, open_socket, parse

        passed = inherited(os.environ, os.getpid()).get("exim-hand", [])
        if socket:
            passed = [open_socket(parse(socket), mode=0o600)]
        if not passed:
            raise MxheedError("systemd passed no socket exim-hand; name one: --socket unix:/path")
        with suppress(asyncio.CancelledError):
            asyncio.run(serve(passed[0], exim))
