"""`mxheed run`: follow the log, understand the replies, answer Postfix, serve page and metrics."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from policyd import config as configuration

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def run(
        config: Annotated[
            Path | None, typer.Option("--config", "-c", help="The configuration file.")
        ] = None,
        log: Annotated[
            str | None,
            typer.Option(help="A log file, `journal`, `-`, `sample` or `auto` (log.path)."),
        ] = None,
        state: Annotated[str | None, typer.Option(help="The state file (state.file).")] = None,
        http: Annotated[
            str | None,
            typer.Option(help="Where page and metrics are, as inet:HOST:PORT (serve.http)."),
        ] = None,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="Log every decision, not only changes.")
        ] = False,
    ) -> None:
        """Run the daemon: follow the log, pace mail, serve page, metrics and Postfix's sockets."""
        import uvloop

        from policyd import daemon

        logging.basicConfig(
            level=logging.DEBUG if verbose else logging.INFO, format="%(levelname)s %(message)s"
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its life is not news here
        settings = _flags(configuration.load(config), log, state, http)
        uvloop.run(daemon.run(settings, config, _say))


def _flags(
    config: configuration.Config, log: str | None, state: str | None, http: str | None
) -> configuration.Config:
    """The configuration with what the command line says instead."""
    if log is not None:
        config = dataclasses.replace(config, log=dataclasses.replace(config.log, path=log))
    if state is not None:
        config = dataclasses.replace(config, state=configuration.StateSettings(file=state))
    if http is not None:
        config = dataclasses.replace(config, serve=dataclasses.replace(config.serve, http=(http,)))
    return config


def _say(chosen: object, state: Path, addresses: Mapping[str, list[str]]) -> None:
    from policyd.logs import PLAYED, Chosen

    assert isinstance(chosen, Chosen)
    if chosen.kind == "sample":
        typer.echo(f"mxheed: {PLAYED} ({chosen.why})")
    else:
        typer.echo(f"mxheed follows {chosen.name}: {chosen.why}")
    for where in addresses.get("http", ()):
        url = where.replace("inet:", "http://")
        typer.echo(f"  status page    {url}/")
        typer.echo(f"  metrics        {url}/metrics")
    for name, words in (("socketmap", "socketmaps"), ("policy", "policy service")):
        for where in addresses.get(name, ()):
            typer.echo(f"  {words:<14} {where}")
    for where in addresses.get("control", ()):
        typer.echo(f"  control        {where}")
    if chosen.kind != "sample":
        typer.echo(f"  state          {state}")
    typer.echo("Ctrl-C stops it.")
