"""Where the control socket is, for the daemon and for the commands that speak to it.

Contract: both sides call `control_path` and so agree without a configuration file.
Failure: none; a place that cannot be used shows when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["control_path"]


def control_path(configured: str, environ: Mapping[str, str], uid: int) -> str:
    """The configured path, else the usual place of this user."""
    if configured:
        return configured.removeprefix("unix:")
    if folder := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return f"{folder}/control.sock"
    if uid == 0:
        return "/run/mxheed/control.sock"
    if folder := environ.get("XDG_RUNTIME_DIR", ""):
        return f"{folder}/mxheed/control.sock"
    if home := environ.get("HOME", ""):
        return f"{home}/.local/state/mxheed/control.sock"
    return f"/run/user/{uid}/mxheed/control.sock"
