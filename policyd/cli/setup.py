"""`mxheed setup …`: print what Postfix, Exim and systemd need for the configuration at hand.

Contract: prints; nothing of Postfix's is edited. What main.cf has today is read where there is a
Postfix; a running daemon is asked for the recipient limits it has learnt; none is no error.
Failure: a bad configuration, as `mxheed check` tells it.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import urllib.request
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from policyd.cli.at_hand import HELP, at_hand, option
from policyd.cli.setup_exim import exim
from policyd.cli.setup_systemd import own_program, systemd
from policyd.doctor.gather import present
from policyd.doctor.mending import safety, theirs
from policyd.errors import MxheedError
from policyd.postfix import postconf
from policyd.postfix.commands import commands
from policyd.postfix.setup import QUEUE_DIRECTORY, Fragment, fragments, learnt_limits

__all__ = ["register"]

_FILES = ("main.cf", "master.cf", "commands")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="What Postfix, Exim and systemd need for mxheed.", no_args_is_help=True
    )
    app.add_typer(group, name="setup")
    group.command()(postfix)
    group.command()(exim)
    group.command()(systemd)


def postfix(
    config: Annotated[Path | None, typer.Option("--config", "-c", help=HELP)] = None,
    queue_directory: Annotated[
        str,
        typer.Option(
            "--queue-directory",
            help="Postfix's queue directory: unix sockets below it are named relative to it, "
            "for chrooted services. It also tells which of several instances is meant.",
        ),
    ] = QUEUE_DIRECTORY,
    as_commands: Annotated[
        bool,
        typer.Option("--commands", help="Print commands for a shell instead: read, then `| sh`."),
    ] = False,
) -> None:
    """Print the lines for main.cf and master.cf; nothing is edited."""
    settings, path = at_hand(config)
    instance = _instance(queue_directory, settings.release.config_directory)
    there = None if instance is None else present(settings, instance)
    pieces = list(
        fragments(
            settings.serve,
            settings.pacing,
            settings.log.pools,
            queue_directory,
            _learnt(settings.serve.http),
            _restrictions(instance),
            theirs(there) if there else {},
        )
    )
    pieces += safety(there) if there else ()
    pieces.sort(key=lambda piece: _FILES.index(piece.file))
    then = _then(path, instance)
    if as_commands:
        typer.echo("set -e")
        for line in commands(pieces, instance or ""):
            typer.echo(line)
        typer.echo(then)
        return
    _print(pieces)
    typer.echo(f"### then: {then}")


def _print(pieces: Sequence[Fragment]) -> None:
    for file, parts in groupby(pieces, key=lambda piece: piece.file):
        typer.echo("### to be run\n" if file == "commands" else f"### to be added to {file}\n")
        for part in parts:
            typer.echo(part.text)


def _then(path: Path | None, instance: str | None) -> str:
    """What to do when the lines are in place, for this configuration and this Postfix."""
    of = f" -c {shlex.quote(instance)}" if instance else ""
    doctor = shlex.join([_called(), "doctor", *option(path)])
    return f"postfix{of} check && postfix{of} reload && {doctor}"


def _called() -> str:
    """How this program is called here."""
    if shutil.which("mxheed"):
        return "mxheed"
    with contextlib.suppress(MxheedError):
        return own_program()
    return "mxheed"


def _instance(queue: str, directories: Sequence[str]) -> str | None:
    """The config directory of the Postfix with that queue, "" for the machine's own; None: none."""
    for directory in ("", *directories):
        with contextlib.suppress(MxheedError):
            there = postconf.parameters(directory, "queue_directory")["queue_directory"]
            if there.rstrip("/") == queue.rstrip("/"):
                return directory
    return None


def _restrictions(instance: str | None) -> str:
    """What main.cf has today; nothing where there is no Postfix."""
    name = "smtpd_recipient_restrictions"
    with contextlib.suppress(MxheedError):
        return "" if instance is None else postconf.written(instance, name)
    return ""


def _learnt(addresses: Sequence[str]) -> dict[str, int]:
    """What a running daemon has learnt; nothing if none answers."""
    for address in addresses:
        if not address.startswith("inet:"):
            continue
        url = f"http://{address.removeprefix('inet:')}/metrics"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1.0) as answer:
            return learnt_limits(answer.read().decode())
    return {}
