"""The hand where our own rights do not reach: asked of a service of its own (mxheed-exim).

Contract: `Remote.ask` is one connection and one line, `VERB ID…`; the answer is the command's exit
code on a line, then what it said, to the end of the connection. `request` and `answer` read them;
only known verbs and ids of Exim's form are ever taken.
Failure: OSError with words, as from a command that cannot be started.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from policyd.exim.hand import ID
from policyd.exim.running import Ended

__all__ = ["SOCKET", "Remote", "answer", "request"]

SOCKET = "/run/mxheed-exim/hand"
_ALONE = ("list", "check", "rule")
_VERBS = ("go", "force", "story", *_ALONE)
_MOST = 16 * 1024 * 1024
_PATIENCE = 70.0  # seconds; the service has patience of its own


class Remote:
    """The service on its socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = f"unix:{path}"
        self._seen = False

    @property
    def there(self) -> bool:
        """Whether the socket is there, or was: that it is gone must be told, not be overlooked."""
        with suppress(OSError):
            self._seen = self._seen or stat.S_ISSOCK(os.stat(self._path).st_mode)
        return self._seen

    async def ask(self, verb: str, ids: Iterable[str] = ()) -> Ended:
        """One question."""
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(self._path)
            try:
                writer.write(" ".join((verb, *ids)).encode() + b"\n")
                told = await reader.read(_MOST)
                while more := await reader.read(_MOST):
                    told += more
            finally:
                writer.close()
        return answer(told)


def request(line: bytes) -> tuple[str, tuple[str, ...]] | None:
    """The verb and the ids of a request; None: it is none."""
    verb, *ids = line.decode("ascii", "replace").split()[:2] or [""]
    alone = verb in _ALONE
    if verb not in _VERBS or alone == bool(ids) or not all(map(ID.fullmatch, ids)):
        return None
    return verb, tuple(ids)


def answer(told: bytes) -> Ended:
    """What the service says of a command."""
    code, _, said = told.partition(b"\n")
    if not code.lstrip(b"-").isdigit() or len(code) > 4:
        raise ConnectionError("the service for Exim gave no answer; its journal says why")
    return Ended(int(code), said)
