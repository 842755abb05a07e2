"""Work on a file system that may hang: a thread is sent, and nobody waits for it for ever.

Where the server of a network file system is gone, whoever opens, reads or only looks at a file of
it stands still inside the kernel until that server is back; no exception comes and no signal helps.
Contract: `Errands.send(work, patience)` has `work` done in a thread and waits so many seconds at
most. An `Errand` that is not `done` by then goes on by itself, and the next one has a new thread.
Threads that stand still do not keep the process from ending.
Failure: `result` raises what the work raised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from policyd.settings.units import spell

__all__ = ["PATIENCE", "STANDS", "Errand", "Errands", "stands"]

PATIENCE = 0.5  # seconds that others wait for a file that does not answer
STANDS = 10.0  # seconds without an answer that are told as a trouble

T = TypeVar("T")


def stands(seconds: float) -> str:
    """Words for what stands still."""
    return f"no answer for more than {spell(seconds)}: its file system may hang"


class Errand(Generic[T]):
    """One piece of work under way."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._over = threading.Event()
        self._found: list[T] = []
        self._error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether it came to an end."""
        return self._over.is_set()

    def result(self) -> T:
        """What was found, of work that is done."""
        if self._error is not None:
            raise self._error
        return self._found[0]

    def wait(self, seconds: float) -> bool:
        """Whether it is done within so many seconds."""
        return self._over.wait(seconds)

    def run(self) -> None:
        """Do it, in whatever thread this is."""
        try:
            self._found.append(self._work())
        except BaseException as error:  # it is told where somebody can do something about it
            self._error = error
        finally:
            self._over.set()


class Errands:
    """One thread for all errands, and a new one where that did not come back."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Errand[Any] | None] | None = None

    def send(self, work: Callable[[], T], patience: float) -> Errand[T]:
        """Have this done; afterwards it is done, or `patience` is over."""
        errand = Errand(work)
        if self._waiting is None:
            self._waiting = SimpleQueue()
            name, args = "mxheed-log-file", (self._waiting,)
            threading.Thread(target=_serve, args=args, name=name, daemon=True).start()
        self._waiting.put(errand)
        if not errand.wait(patience):
            self.close()
        return errand

    def close(self) -> None:
        """The thread ends when it has done what it is at."""
        if self._waiting is not None:
            self._waiting.put(None)
            self._waiting = None


def _serve(waiting: SimpleQueue[Errand[Any] | None]) -> None:
    while (errand := waiting.get()) is not None:
        errand.run()
