"""No collection of garbage while thousands of values are made that all stay.

Contract: within `calm` nothing is collected. What is there after the first time in a process is
not looked at again by the collector (`gc.freeze`): rules stay as long as the process, and walking
them once costs a tenth of a start. Later times, after a reload, it is as it was.
Failure: none.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["calm"]

_frozen = False


@contextmanager
def calm() -> Iterator[None]:
    """A while without collections."""
    global _frozen  # the collector's own count is a walk over all of them
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            if not _frozen:
                gc.freeze()
                _frozen = True
            gc.enable()
