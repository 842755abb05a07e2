"""Which message a delivery agent is delivering, seen from outside.

smtp(8) keeps its message's queue file locked for as long as it delivers it, and everybody may read
which process holds which lock. The file stays the same while a message is deferred and tried again.

Contract: `Whose` takes a connection's session and answers with the locked file's device and inode,
as /proc/locks writes them, or None. At most `most` looks a second, for each reads the whole list.
Failure: None wherever it cannot be seen: a TCP client, another PID namespace, a system that shows
no locks, too many looks, a process with other locks than one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from policyd.throttle.book.present import Present
from policyd.throttle.book.queueid import locked

__all__ = ["HasPid", "Whose", "names"]

_LOCKS = Path("/proc/locks")


class HasPid(Protocol):
    """The part of a session that is looked at."""

    pid: int  # 0: not known


class Whose:
    """Looks, but not too often."""

    def __init__(
        self, clock: Callable[[], float], *, most: int = 200, locks: Path = _LOCKS
    ) -> None:
        self._clock = clock
        self._most = most
        self._locks = locks
        self._second = 0
        self._looks = 0

    def __call__(self, session: HasPid) -> str | None:
        """The message that the session's client has locked."""
        if not session.pid or not self._may_look():
            return None
        try:
            lines = self._locks.read_bytes().splitlines()
        except OSError:
            return None
        ours = b"%d" % session.pid
        # "7: FLOCK  ADVISORY  READ 176 00:2f:2342879 0 EOF"; one that waits has "->" behind the 7
        found = [
            fields[5]
            for fields in (line.split() for line in lines if ours in line)
            if len(fields) == 8 and fields[1:5] == [b"FLOCK", b"ADVISORY", b"READ", ours]
        ]
        return found[0].decode("ascii", "replace") if len(found) == 1 else None

    def _may_look(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._looks = second, 0
        self._looks += 1
        return self._looks <= self._most


def names(
    whose: Callable[[HasPid], str | None], present: Present
) -> Callable[[HasPid], str | None]:
    """What tells the queue id of the message that a session's client has locked."""

    def name(session: HasPid) -> str | None:
        found = locked(whose(session))
        return present.of(found.inode) if found is not None else None

    return name
