"""The short way to let a message go: Postfix's flush(8) is asked without starting a process.

`postqueue -i` costs 3 to 4 ms of CPU a message, and all it does is to check that its user may, and
to send flush(8) what is sent here. Whether we may stays postqueue's to say: its word holds for a
minute, then a release goes by postqueue again. So `authorized_flush_users` counts in all its forms.

Contract: `let_go` tries the short way if it is open; False: take the long one. `vouch` tells what
postqueue said last. One request a connection, a few bytes each, `timeout` seconds at most.
Failure: whatever is not the very answer closes the way for five minutes, is said once until it has
worked again, and is `why`. As with postqueue, success means that the request was taken, no more.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from policyd.postfix import flushwire

__all__ = ["Flush"]

log = logging.getLogger(__name__)

_VOUCHED = 60.0  # seconds for which postqueue's word holds
_SHUNNED = 300.0  # seconds without the short way after a surprise
_READ = 256


class Flush:
    """The short way to one Postfix."""

    def __init__(self, timeout: float, clock: Callable[[], float]) -> None:
        self.path = ""  # of its socket; "": not known
        self._timeout = timeout
        self._clock = clock
        self._vouched = self._shunned = float("-inf")  # until when
        self._surprise = ""  # the last one, until it works again

    @property
    def why(self) -> str:
        """Why the short way is closed; "": it is open."""
        now = self._clock()
        if not self.path:
            return "where flush(8) listens is not known"
        if now < self._shunned:
            return self._surprise
        return "" if now < self._vouched else "postqueue has not been asked lately"

    def vouch(self, failure: str) -> None:
        """What postqueue said just now; "": it did as it was asked."""
        self._vouched = float("-inf") if failure else self._clock() + _VOUCHED

    async def let_go(self, queue_id: str) -> bool:
        """Whether flush(8) took the request."""
        if self.why:
            return False
        path = self.path
        try:
            async with asyncio.timeout(self._timeout):
                answer = await _ask(path, queue_id)
            if answer != flushwire.DONE:
                raise flushwire.UnexpectedAnswer(f"answered status {answer}")
        except TimeoutError:
            self._shun(f"{path}: no answer within {self._timeout:g} s")
        except (OSError, ValueError, flushwire.UnexpectedAnswer) as wrong:
            self._shun(f"{path}: {getattr(wrong, 'strerror', None) or wrong}")
        else:
            if self._surprise:
                log.info("flush(8) answers again at %s", path)
            self._surprise = ""
            return True
        return False

    def _shun(self, surprise: str) -> None:
        said, self._surprise = self._surprise, surprise
        self._shunned = self._clock() + _SHUNNED
        if not said:
            log.warning("flush(8) cannot be used, postqueue is: %s", surprise)


async def _ask(path: str, queue_id: str) -> int:
    """One question; a plain socket costs half of what a stream does."""
    loop, received = asyncio.get_running_loop(), b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        connection.connect(path)  # at once, or EAGAIN where too many wait
        connection.send(flushwire.request(queue_id))  # fits into any buffer
        while (answer := flushwire.status(received)) is None:
            more = await loop.sock_recv(connection, _READ)
            if not more:
                raise flushwire.UnexpectedAnswer("the connection ended before the answer")
            received += more
    return answer
