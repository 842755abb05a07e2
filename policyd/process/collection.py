"""Short pauses for the collection of garbage: what has proved to live is not looked at again.

Python's full collections look at everything there is, and answers wait meanwhile: a tenth of a
second and more where many receivers and domains are known. Nearly all of that stays.
Contract: within `sparing()`, what survives a full collection is left out of the next ones. Every
`SELDOM`th looks at all again, for cycles (a closed connection is one) may die late.
Failure: none.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count

__all__ = ["SELDOM", "sparing"]

SELDOM = 100  # full collections, of which one looks at everything
_FULL = 2  # the oldest generation


@contextmanager
def sparing() -> Iterator[None]:
    """Begins with a full collection; afterwards all is as usual again."""
    numbers = count(1)

    def spare(phase: str, info: Mapping[str, int]) -> None:
        if info["generation"] != _FULL:
            return
        if phase == "stop":
            gc.freeze()
        elif next(numbers) % SELDOM == 0:
            gc.unfreeze()

    gc.callbacks.append(spare)
    try:
        gc.collect()
        yield
    finally:
        gc.callbacks.remove(spare)
        gc.unfreeze()
