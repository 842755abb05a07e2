"""How long a test waits: deadlines are for an idle machine, and grow with what else it does."""

from __future__ import annotations

import os

__all__ = ["stretched"]


def stretched(seconds: float) -> float:
    """As many seconds of this machine's processors, as they are shared now; never fewer."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
