"""The native part, where there is one: the plainest lines, counted in C.

It is built where a compiler is (`make native`, or any installation with one). All that it does,
Python does as well, with the same numbers; `MXHEED_NATIVE=0` in the environment switches it off.
Contract: `scan` is None where it is not there or not wanted; else `scan(block, places, index,
relays, minutes)` counts records from `places[index]` on and gives the index of the first one that
is not for it. Nothing of that one was counted. `path` has words for people.
Failure: none; a part of another version counts as missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Scan", "path", "scan"]

VERSION = 1  # of native.c

# hours, domains, and the five delays, each by how often
Row: TypeAlias = tuple[dict[Any, int], ...]
Scan: TypeAlias = Callable[[bytes, list[int], int, dict[bytes, Row], dict[bytes, int]], int]


def _load() -> tuple[Scan | None, str]:
    if os.environ.get("MXHEED_NATIVE", "1") == "0":
        return None, "Python alone (MXHEED_NATIVE=0)"
    try:
        from logparse import _native
    except ImportError:
        return None, "Python alone (the native part is not built)"
    if _native.VERSION != VERSION:
        return None, "Python alone (the native part is of another version; build it again)"
    return _native.scan, "Python, with the native part for reports"


scan, path = _load()
