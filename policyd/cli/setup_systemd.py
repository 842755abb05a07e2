"""`mxheed setup systemd`: the units for this installation, printed or written.

Contract: without `--write` prints only. With it a file is made, left as it is or renewed; one that
was edited is kept and named (exit code 1), with `--force` it is replaced and what it was is kept
beside it. Each file is whole or not there.
Failure: `MxheedError` where the units could not run this installation.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Annotated

import typer

from policyd.errors import MxheedError
from policyd.exim.config import find
from policyd.shipped.unitfiles import CONFIG, InstalledFile, files, look, unrunnable

__all__ = ["own_program", "systemd"]

_ORDINARY = re.compile(r"/[\w/.+@-]+")  # what a unit can name as it is
_LINK = "/usr/local/bin/mxheed"
_START = (
    ("systemd-sysusers",),
    ("systemctl", "daemon-reload"),
    ("systemctl", "enable", "mxheed-socketmap.socket", "mxheed-policy.socket", "mxheed.service"),
    ("systemctl", "start", "mxheed-socketmap.socket", "mxheed-policy.socket"),
    ("systemctl", "restart", "mxheed.service"),
)
_START_EXIM = (
    ("systemctl", "enable", "mxheed-exim-hand.socket"),
    ("systemctl", "start", "mxheed-exim-hand.socket"),
)


def systemd(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration that the unit runs with.")
    ] = Path(CONFIG),
    program: Annotated[
        str, typer.Option("--program", help="The program in the units; without: this one.")
    ] = "",
    write: Annotated[bool, typer.Option("--write", help="Write the files.")] = False,
    start: Annotated[
        bool, typer.Option("--start", help="Write them, make the user, enable and start the units.")
    ] = False,
    root: Annotated[
        Path, typer.Option("--root", help="Write below this folder, for a package or an image.")
    ] = Path("/"),
    force: Annotated[
        bool, typer.Option("--force", help="Also replace files that were edited.")
    ] = False,
    exim: Annotated[
        bool, typer.Option("--exim", help="With the units for Exim, also where none is here yet.")
    ] = False,
) -> None:
    """Print (or write) systemd's units, the user mxheed, and a configuration to begin with.

    Writing keeps what was edited and says so; a configuration that is there is never touched.
    """
    chosen = program or own_program()
    if not (_ORDINARY.fullmatch(chosen) and _ORDINARY.fullmatch(str(config))):
        raise MxheedError("a path in a unit must be absolute and without blanks")
    if start and root != Path("/"):
        raise MxheedError("--start and --root do not go together: nothing runs in a folder")
    trouble = "" if program else unrunnable(chosen)
    if trouble and (write or start):
        raise MxheedError(f"the units could not run this installation: {trouble}")
    exim = exim or bool(find())
    if not (write or start):
        _print(chosen, str(config), trouble, exim)
        return
    wanted = files(chosen, str(config), exim=exim)
    kept = [file.path for file in wanted if not _write(file, root, force)]
    _link(Path(chosen), root)
    if start:
        _begin(exim)
    else:
        typer.echo("### then, on the machine: mxheed setup systemd --start")
    if kept:
        raise MxheedError(
            f"not replaced, because edited: {', '.join(kept)}\n"
            "compare with what `mxheed setup systemd` prints, or --force"
        )


def own_program() -> str:
    """The `mxheed` of this installation."""
    found = Path(sysconfig.get_path("scripts"), "mxheed")
    if not found.exists():
        raise MxheedError(f"this mxheed is not installed (no {found}): pip install it first")
    return str(found)


def _print(program: str, config: str, trouble: str, exim: bool) -> None:
    for file in files(program, config, exim=exim):
        typer.echo(f"### {file.path}\n{file.text}")
    typer.echo("### to write these files: mxheed setup systemd --write")
    if trouble:
        typer.echo(f"mxheed: the units could not run this installation: {trouble}", err=True)


def _write(file: InstalledFile, root: Path, force: bool) -> bool:
    """Do what is to be done; False: the file was edited and is left alone."""
    target, plan = root / file.path.lstrip("/"), look(file, root)
    done = f"{'written' if plan == 'new' else 'renewed':<9} {target}"
    if plan == "edited" and force:
        os.replace(target, f"{target}.edited")
        done = f"replaced  {target} (what it was: {target}.edited)"
    elif plan == "edited":
        typer.echo(f"kept      {target} (edited)")
        return False
    elif plan == "same":
        typer.echo(f"as it is  {target}")
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.half")
    half.write_text(file.text, "utf-8")
    half.chmod(0o644)
    os.replace(half, target)
    typer.echo(done)
    return True


def _link(program: Path, root: Path) -> None:
    """Let a shell find the program, where it does not yet."""
    link = root / _LINK.lstrip("/")
    if os.path.lexists(link) or str(program.parent) in os.get_exec_path():
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(program)
    typer.echo(f"linked    {link} to {program}")


def _begin(exim: bool) -> None:
    for command in (*_START[:-1], *(_START_EXIM if exim else ()), _START[-1]):
        typer.echo(f"running   {' '.join(command)}")
        path = shutil.which(command[0])
        if path is None:
            raise MxheedError(f"there is no {command[0]} here: is this a machine with systemd?")
        if subprocess.run([path, *command[1:]], stdout=sys.stderr).returncode:
            raise MxheedError(f"{' '.join(command)} failed; journalctl -u mxheed says more")
