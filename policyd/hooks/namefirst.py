"""Who asks before the log has told of it: the answer waits a moment for the name.

The queue manager logs a message before its delivery agent asks, but the log is read a little later.

Contract: `first` makes an answer as soon as the message is known, and after `_PATIENCE` at the
latest; not at all for a client that has gone. `leaves` tells that a message was delivered: its
queue file may be another's before that is read.
Failure: who stays unknown is answered as such; an answer that cannot be made is NOTFOUND, logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from policyd.hooks.whose import HasPid
from policyd.serve.later import Later
from policyd.serve.socketmap import NOTFOUND
from policyd.throttle.book.present import Present
from policyd.throttle.book.queueid import Locked, locked
from policyd.throttle.book.soon import Soon

__all__ = ["NameFirst"]

_log = logging.getLogger(__name__)

_PATIENCE = 0.5  # seconds
_LOOK = 0.02  # between two looks


class NameFirst:
    """See the module."""

    def __init__(self, present: Present, soon: Soon, clock: Callable[[], float]) -> None:
        self._present = present
        self._soon = soon
        self._clock = clock
        self._waiting: set[int] = set()  # ids of sessions

    def _awaited(self, asker: Locked | None) -> bool:
        """Whether its message may be told soon."""
        return asker is not None and self._present.of(asker.inode) is None

    def by(
        self, whose: Callable[[HasPid], str | None]
    ) -> Callable[[HasPid, Callable[[], bytes | Later]], bytes | Later]:
        """`first` for those who have only a session."""
        return lambda session, answer: self.first(session, locked(whose(session)), answer)

    def gone(self, session: object) -> None:
        """Its client wants no answer any more."""
        self._waiting.discard(id(session))

    def leaves(self, asker: Locked | None) -> None:
        """Its message was delivered."""
        queue_id = self._present.of(asker.inode) if asker is not None else None
        if queue_id is not None:
            self._present.left(queue_id)

    def first(
        self, session: object, asker: Locked | None, answer: Callable[[], bytes | Later]
    ) -> bytes | Later:
        """The answer, once the message is known that the session's client has locked."""
        if not self._awaited(asker):
            return answer()
        later, until, who = Later(), self._clock() + _PATIENCE, id(session)
        self._waiting.add(who)

        def look(last: bool) -> None:
            now = self._clock()
            if who not in self._waiting:
                return
            if not last and now < until and self._awaited(asker):
                self._soon.add(now + _LOOK, look)
                return
            self._waiting.discard(who)
            try:
                told = answer()
            except Exception:  # as at the socket: whatever happens inside, there is a safe answer
                _log.exception("a question could not be answered")
                told = NOTFOUND
            if isinstance(told, Later):
                told.then(later.come)
            else:
                later.come(told)

        self._soon.hurry()
        self._soon.add(self._clock() + _LOOK, look)
        return later
