"""What lives long is left out of full collections, but garbage is found in the end."""

from __future__ import annotations

import gc
import weakref

from policyd.process.collection import SELDOM, sparing


class Ring:
    """Only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


def test_what_survived_is_frozen_and_found_seldom() -> None:
    with sparing():
        old = Ring()
        seen = weakref.ref(old)
        gc.collect()
        del old
        gc.collect()
        assert seen() is not None, "a full collection looked at what had survived one"
        for _ in range(SELDOM):
            gc.collect()
        assert seen() is None, "a cycle that died late is never found"
    assert gc.get_freeze_count() == 0


def test_young_garbage_is_found_as_ever() -> None:
    with sparing():
        seen = weakref.ref(Ring())
        gc.collect()
        assert seen() is None
