"""Does a hang-up mean that our terminal is closed? And what then becomes of our last words?

Contract: `of_terminal` is asked at start, `fall_silent` is called when the terminal is closed. A
process with a controlling terminal gets SIGHUP then; where the signal was ignored already
(`nohup`), whoever started us wants us to live on.
Failure: a terminal that cannot be opened is none.
"""

from __future__ import annotations

import os
import signal
import stat

__all__ = ["fall_silent", "of_terminal"]


def of_terminal(handler: object) -> bool:
    """Whether SIGHUP will come from a terminal; `handler` is what stands for it now."""
    if handler == signal.SIG_IGN:
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def fall_silent() -> None:
    """Nobody reads a closed terminal, and words that cannot be written would fail a clean end."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for stream in (1, 2):
        if stat.S_ISCHR(os.fstat(stream).st_mode):  # isatty says no to one that is closed
            os.dup2(nowhere, stream)
    os.close(nowhere)
