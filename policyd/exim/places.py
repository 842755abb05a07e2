"""Where Exim asks the daemon, and which file tells that the daemon is alive.

Contract: what the configuration says, else beside the control socket: that of the daemon that runs,
or where it would be. Failure: none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from policyd.errors import ControlError
from policyd.serve.paths import BESIDE, control_path, control_places, exim_paths
from policyd.serve.settings import ServeSettings
from policyd.web.asking import find

__all__ = ["places"]


def places(serve: ServeSettings, environ: Mapping[str, str], uid: int) -> tuple[str, str]:
    """The socket in the words of `${readsocket}`, and the file."""
    control = control_path(serve.control, environ, uid)
    with suppress(ControlError, OSError):
        control = find(control_places(serve.control, environ, uid)).place.path
    beside, alive = exim_paths(os.path.abspath(control))
    named = next(iter(serve.exim), BESIDE)
    socket = beside if named == BESIDE else named.removeprefix("unix:")
    return socket, serve.alive or alive
