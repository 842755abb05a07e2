"""The files with which systemd runs this mxheed, and what may become of those that are there.

A file that we wrote carries a seal: a first line with the digest of the rest. A file whose seal
still fits was not edited, so a newer version may take its place; every other is the operator's.

Contract: changes nothing. `files` puts the program of this installation and its configuration into
the shipped units; `look` says what is to be done about one that may be there. Failure: none.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from policyd import shipped

__all__ = ["CONFIG", "FOLDERS", "InstalledFile", "Plan", "files", "look", "rendered", "unrunnable",
           "unsealed"]  # fmt: skip

CONFIG = "/etc/mxheed/mxheed.yaml"
# where a unit may lie; systemd takes the first
FOLDERS = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
           "/lib/systemd/system")  # fmt: skip

_SEAL = "# From `mxheed setup systemd`, which renews it while it is not edited: {digest}\n"
_SEALED = re.compile(r"# From `mxheed setup systemd`[^\n]*: ([0-9a-f]{32})\n")
# what the units' sandbox takes away
_HOMES = ("/home/", "/root/", "/run/user/")
_EXIM = "mxheed-exim"
_TEMPORARY = ("/tmp/", "/var/tmp/")

Plan = Literal["new", "same", "renew", "edited"]


class InstalledFile(NamedTuple):
    """One file of an installation."""

    path: str
    text: str
    own: bool = True  # False: the operator's from the beginning; only made where there is none


def files(program: str, config: str = CONFIG, *, exim: bool = False) -> Iterator[InstalledFile]:
    """Everything, in the order in which it is needed; `exim`: also what only Exim needs."""
    yield InstalledFile("/etc/sysusers.d/mxheed.conf", _sealed(shipped.sysusers()))
    yield InstalledFile(config, shipped.configuration(), own=False)
    for name in shipped.units():
        if name.startswith(_EXIM) and not exim:
            continue
        yield InstalledFile(f"{FOLDERS[0]}/{name}", _sealed(rendered(name, program, config)))


def rendered(name: str, program: str, config: str = CONFIG) -> str:
    """A shipped unit for the program and configuration of this installation."""
    text = shipped.units()[name]
    return text.replace(shipped.PROGRAM, program).replace(CONFIG, config)


def look(file: InstalledFile, root: Path) -> Plan:
    """What is to be done about it, below `root`."""
    target = root / file.path.lstrip("/")
    if target.is_symlink():  # a unit that is masked, or lives elsewhere
        return "edited"
    try:
        there = target.read_text("utf-8", "replace")
    except FileNotFoundError:
        return "new"
    if there == file.text or not file.own:
        return "same"
    seal = _SEALED.match(there)
    fits = seal is not None and seal[1] == _digest(unsealed(there))
    return "renew" if fits or there == unsealed(file.text) else "edited"


def unsealed(text: str) -> str:
    """The text below the seal."""
    return _SEALED.sub("", text, count=1)


def unrunnable(program: str) -> str:
    """Why the units' user could not run this program; "" if it could."""
    if why := _hidden(program):
        return why
    try:
        first = Path(program).read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
        interpreter = first[2:].split()[:1] if first.startswith("#!/") else []
        for path in interpreter:
            if why := _hidden(path):
                return why
        return next(filter(None, map(_closed, (program, *interpreter))), "")
    except OSError as wrong:
        return f"{program}: {wrong.strerror or wrong}"


def _hidden(path: str) -> str:
    """What of the sandbox hides it."""
    for one in (path, os.path.realpath(path)):
        if one.startswith(_HOMES):
            return f"{one} is in a home, which the units' sandbox hides (ProtectHome=yes)"
        if one.startswith(_TEMPORARY):
            return f"{one} is in a temporary folder, which the units have anew (PrivateTmp=yes)"
    return ""


def _closed(path: str) -> str:
    """Which folder on the way, or the file itself, is not for others."""
    real = os.path.realpath(path)
    for place in (real, *map(str, Path(real).parents), *map(str, Path(path).parents)):
        if not os.stat(place).st_mode & 0o001:
            return f"{place} may not be entered by others (chmod o+rx)"
    return ""


def _sealed(text: str) -> str:
    return _SEAL.format(digest=_digest(text)) + text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
