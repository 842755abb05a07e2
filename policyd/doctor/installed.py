"""Which of our systemd units are installed, and do they fit this mxheed?

Contract: reads only; `root` is where the file system begins. A unit is looked at where systemd
finds it first. Failure: none; what cannot be read counts as not there.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from policyd import shipped
from policyd.doctor.values import Units
from policyd.shipped.unitfiles import CONFIG, FOLDERS, rendered, unrunnable, unsealed

__all__ = ["units"]

_EXEC = re.compile(r"^ExecStart=(\S+)(.*)$", re.M)
_CONFIG = re.compile(r"(?:--config|-c)[ =](\S+)")
_WANTS = ("multi-user.target.wants", "sockets.target.wants")


def units(root: Path = Path("/")) -> Units:
    """What is installed below `root`."""
    found = {name: there for name in shipped.units() if (there := _first(name, root))}
    broken, stale, configs = {}, [], set()
    program, config = shipped.PROGRAM, CONFIG
    if started := _EXEC.search(found.get("mxheed.service", ("", ""))[1]):
        program = started[1]
        if named := _CONFIG.search(started[2]):
            config = named[1]
        configs.add(config if named else "")
    for name, (path, text) in found.items():
        own = _EXEC.search(text)
        if own and (why := unrunnable(str(root / own[1].lstrip("/")))):
            broken[path] = why
        if unsealed(text) != rendered(name, program, config):
            stale.append(path)
    folder = root / FOLDERS[0].lstrip("/")
    enabled = {one.name for wants in _WANTS for one in folder.glob(f"{wants}/*")}
    return Units(
        paths=frozenset(path for path, _ in found.values()),
        stale=tuple(stale),
        broken=broken,
        configs=frozenset(configs),
        enabled=frozenset(enabled),
    )


def _first(name: str, root: Path) -> tuple[str, str] | None:
    """Path and text of a unit."""
    for folder in FOLDERS:
        with suppress(OSError):
            return f"{folder}/{name}", (root / folder.lstrip("/") / name).read_text("utf-8")
    return None
