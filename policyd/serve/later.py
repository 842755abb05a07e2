"""An answer that is not there yet, and what is to be done with it when it comes.

Contract: a value without a loop or a clock. Who owes the answer calls `come` once; who wants it
says `then` once, before or after. Failure: none; an answer nobody owes any more never comes.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Later"]


class Later:
    """One answer to come."""

    __slots__ = ("_answer", "_take")

    def __init__(self) -> None:
        self._answer: bytes | None = None
        self._take: Callable[[bytes], None] | None = None

    def come(self, answer: bytes) -> None:
        """Here it is."""
        self._answer = answer
        if self._take is not None:
            self._take(answer)

    def then(self, take: Callable[[bytes], None]) -> None:
        """Hand it to `take` as soon as it is there."""
        self._take = take
        if self._answer is not None:
            take(self._answer)

    def made(self, make: Callable[[bytes], bytes]) -> Later:
        """What `make` makes of it, as soon as it is there."""
        after = Later()
        self.then(lambda answer: after.come(make(answer)))
        return after
