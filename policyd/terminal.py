"""Does a hang-up mean that our terminal is closed?

Contract: asked at start. A process with a controlling terminal gets SIGHUP when that is closed;
where the signal was ignored already (`nohup`), whoever started us wants us to live on.
Failure: a terminal that cannot be opened is none.
"""

from __future__ import annotations

import os
import signal

__all__ = ["of_terminal"]


def of_terminal(handler: object) -> bool:
    """Whether SIGHUP will come from a terminal; `handler` is what stands for it now."""
    if handler == signal.SIG_IGN:
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
