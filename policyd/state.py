"""Where the state file is.

Contract: the configured path, else a place that fits who runs us.
Failure: none; a place that cannot be used shows when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["state_file"]


def state_file(configured: str, environ: Mapping[str, str], uid: int) -> Path:
    """The SQLite file."""
    if configured:
        return Path(configured)
    if folder := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(folder) / "mxheed.db"
    if uid == 0:
        return Path("/var/lib/mxheed/mxheed.db")
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/tmp")) / ".local/state")
    return Path(home) / "mxheed" / "mxheed.db"
