"""`mxheed bypass`: the responder of last resort, listed among the other commands.

Contract: `policyd.cli.main` hands `mxheed bypass …` to `policyd.serve.bypass` before anything else
is imported; this entry exists so that `mxheed --help` shows it.
Failure: as in `policyd.serve.bypass`.
"""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )
    def bypass(context: typer.Context) -> int:
        """Answer NOTFOUND and DUNNO to everything, so that mail flows while the daemon cannot."""
        from policyd.serve import bypass as responder

        return responder.main(context.args)
