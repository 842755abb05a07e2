"""Every map there may be, and nothing in it: the safe answer to all socketmap questions.

Contract: `NOTFOUND ` whatever is asked, nothing is looked at. Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.serve.netstring import encode
from policyd.serve.session import Session
from policyd.serve.socketmap import NOTFOUND, SocketmapEndpoint

__all__ = ["NothingFound"]

_NOTFOUND = encode(NOTFOUND)


class NothingFound(SocketmapEndpoint):
    """Says that nothing is to be said about anything."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        super().__init__({}, clock=clock)

    def answer(self, request: bytes, session: Session, began: float) -> bytes:
        return _NOTFOUND
