"""Where the state file is.

Contract: the configured path, else a place that fits who runs us.
Failure: `MxheedError` where nothing tells a place; never a folder that everybody may write to. One
that cannot be used shows when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from policyd.errors import MxheedError

__all__ = ["state_file"]


def state_file(configured: str, environ: Mapping[str, str], uid: int) -> Path:
    """The SQLite file."""
    if configured:
        return Path(configured)
    if folder := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(folder) / "mxheed.db"
    if uid == 0:
        return Path("/var/lib/mxheed/mxheed.db")
    home = environ.get("HOME", "")
    for folder in (environ.get("XDG_STATE_HOME", ""), f"{home}/.local/state" if home else ""):
        if folder.startswith("/"):
            return Path(folder) / "mxheed" / "mxheed.db"
    raise MxheedError(
        "there is no place for the state file: HOME is not set; set it, or name a file with --state"
    )
