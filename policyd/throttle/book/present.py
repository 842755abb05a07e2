"""Which messages are in the MTA's queue, who sends them, and which has which queue file.

A queue id names its queue file's inode, and a message's inode is another's within milliseconds of
its removal. So `left` is told in the order of the log's lines, and what two messages claim at the
same time is nobody's.

Contract: pure, bounded. `of` answers by the inode with the queue id, or None: not known, or not
surely. The inodes are sorted out at the first question, and kept up while there are questions.
Failure: None for what the log did not tell; a message that was forgotten is told again when the MTA
takes it up again.
"""

from __future__ import annotations

from policyd.bounded import Bounded
from policyd.throttle.book.queueid import inode_of

__all__ = ["Present"]

_MOST = 100_000
_UNASKED = 50_000  # messages without a question, after which the inodes are not kept up any more
_DOUBTFUL = ""  # stands among those who claimed a file at one time, until one is told alone
_MOST_CLAIMS = 4


class Present:
    """See the module."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._senders: Bounded[str, str] = Bounded(most)  # queue id → the sender's domain
        self._inodes: dict[int, tuple[str, ...]] | None = None  # → queue ids
        self._unasked = 0
        self.sender = self._senders.get

    def __contains__(self, queue_id: object) -> bool:
        return queue_id in self._senders

    def told(self, queue_id: str, sender: str) -> None:
        """A message was taken up."""
        self._senders[queue_id] = sender
        if self._inodes is not None:
            self._unasked += 1
            if self._unasked > _UNASKED or len(self._inodes) > 2 * self._most:
                self._inodes = None
            else:
                self._claim(queue_id, self._inodes)

    def left(self, queue_id: str) -> None:
        """Its queue file is gone, and may be another's from the next line on."""
        inodes = self._inodes
        inode = inode_of(queue_id) if inodes else None
        if inodes and inode is not None and inode in inodes:
            rest = tuple(one for one in inodes[inode] if one != queue_id)
            if rest in ((), (_DOUBTFUL,)):
                del inodes[inode]
            else:
                inodes[inode] = rest

    def pop(self, queue_id: str) -> None:
        """Nothing more is told of it."""
        self._senders.pop(queue_id)

    def of(self, inode: int) -> str | None:
        """The message that has this queue file."""
        self._unasked = 0
        if self._inodes is None:
            self._inodes = {}
            for queue_id, _ in self._senders.items():
                self._claim(queue_id, self._inodes)
        found = self._inodes.get(inode, ())
        return found[0] if len(found) == 1 and found[0] in self._senders else None

    @staticmethod
    def _claim(queue_id: str, inodes: dict[int, tuple[str, ...]]) -> None:
        inode = inode_of(queue_id)
        if inode is None:
            return
        others = tuple(one for one in inodes.get(inode, ()) if one not in (queue_id, _DOUBTFUL))
        doubt = (_DOUBTFUL,) if others else ()
        if len(others) < _MOST_CLAIMS:
            inodes[inode] = (*doubt, *others, queue_id)
