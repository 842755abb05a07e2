"""`mxheed run`: follow the log, understand the replies, answer Postfix, serve page and metrics."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from policyd import config as configuration
from policyd.settings.bind import plain

__all__ = ["register"]

_Option = str | tuple[str, ...] | None


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def run(
        config: Annotated[
            Path | None, typer.Option("--config", "-c", help="The configuration file.")
        ] = None,
        log: Annotated[
            list[str] | None,
            typer.Option(help="A log, a glob, `journal`, `-`, `sample` or `auto` (log.path)."),
        ] = None,
        state: Annotated[str | None, typer.Option(help="The state file (state.file).")] = None,
        http: Annotated[
            list[str] | None,
            typer.Option(help="Where page and metrics are, as inet:HOST:PORT (serve.http)."),
        ] = None,
        socketmap: Annotated[
            list[str] | None,
            typer.Option(help="Where Postfix asks the maps, also unix:/path (serve.socketmap)."),
        ] = None,
        policy: Annotated[
            list[str] | None,
            typer.Option(help="Where Postfix asks the policy service (serve.policy)."),
        ] = None,
        control: Annotated[
            str | None, typer.Option(help="The operator's socket, a path (serve.control).")
        ] = None,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="Log every decision, not only changes.")
        ] = False,
    ) -> None:
        """Run the daemon: follow the log, pace mail, serve page, metrics and Postfix's sockets.

        Options go before the configuration file. A second one beside the first needs a --state,
        --control, --http, --socketmap and --policy of its own; port 0 is any free port.
        """
        import uvloop

        from policyd.cli import rounds

        logging.basicConfig(
            level=logging.DEBUG if verbose else logging.INFO, format="%(levelname)s %(message)s"
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its life is not news here
        serve = {"http": http, "socketmap": socketmap, "policy": policy}
        told = {name: tuple(texts) for name, texts in serve.items() if texts}
        written = configuration.load(config)
        settings = _told(written, "log", path=tuple(log) if log else None)
        settings = _told(settings, "state", file=state)
        settings = _told(settings, "serve", control=control, **told)
        uvloop.run(rounds.run(settings, config, _say, written))


def _told(config: configuration.Config, section: str, **options: _Option) -> configuration.Config:
    """The configuration with what the command line says of a section instead."""
    said = {name: value for name, value in options.items() if value is not None}
    try:
        for value in said.values():
            for text in (value,) if isinstance(value, str) else value:
                plain(text)
        changed = dataclasses.replace(getattr(config, section), **said)
    except ValueError as wrong:  # what the file's own reading would tell with its place
        raise typer.BadParameter(str(wrong)) from None
    return dataclasses.replace(config, **{section: changed})


def _say(chosen: object, state: Path, addresses: Mapping[str, list[str]]) -> None:
    from policyd.reading.sources import PLAYED, Chosen

    assert isinstance(chosen, Chosen)
    if chosen.kind == "sample":
        typer.echo(f"mxheed: {PLAYED} ({chosen.why})")
    else:
        typer.echo(f"mxheed follows {chosen.name}: {chosen.why}")
    for where in addresses.get("http", ()):
        url = where.replace("inet:", "http://") + ("/" if where.startswith("inet:") else " /")
        typer.echo(f"  status page    {url}")
        typer.echo(f"  metrics        {url}metrics")
    for name, words in (("socketmap", "socketmaps"), ("policy", "policy service")):
        for where in addresses.get(name, ()):
            typer.echo(f"  {words:<14} {where}")
    for where in addresses.get("control", ()):
        typer.echo(f"  control        {where}")
    if chosen.kind != "sample":
        typer.echo(f"  state          {state}")
    typer.echo("Ctrl-C stops it.")
