"""Says which lines look like a delivery and were not understood, with a sample.

Contract: `take` is the pipeline's `on_unparsed`. The first line is logged, then the second, the
fourth and so on: a log of a strange shape must be heard of, and must not fill another log. The last
three stand in `samples`, for those who ask, and for each log in `by_log`; `counts` is how many each
log had.
Failure: none; whatever bytes a line has, it is logged as printable text.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from logparse.events import Unparsed, text_of

__all__ = ["Unread"]

_log = logging.getLogger(__name__)
_LONGEST = 300
_LOGS = 500


class Unread:
    """See the module."""

    def __init__(self, log: Callable[[], str] = lambda: "") -> None:
        """`log`: the one that is being read."""
        self.count = 0
        self.by_log: dict[str, deque[str]] = {}
        self.counts: dict[str, int] = {}
        self._log = log
        self.samples: deque[str] = deque(maxlen=3)

    def take(self, event: Unparsed) -> None:
        """One line more."""
        self.count += 1
        text = text_of(event.line[:_LONGEST])
        shown = "".join(c if c.isprintable() else "?" for c in text)
        self.samples.append(shown)
        log = self._log()
        if log in self.by_log or len(self.by_log) < _LOGS:
            self.by_log.setdefault(log, deque(maxlen=3)).append(shown)
            self.counts[log] = self.counts.get(log, 0) + 1
        if not self.count & (self.count - 1):
            _log.warning(
                "a line of the log looks like a delivery and is not understood (%s; %d so far): %s",
                event.reason,
                self.count,
                shown,
            )
