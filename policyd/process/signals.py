"""The signals that end the daemon or have it read its configuration anew.

Contract: made before the first `heed`, for it looks at what stands for SIGHUP: that ends the daemon
where a terminal sends it when it is closed. `back` gives SIGTERM and SIGINT their usual meaning,
for the moments in which nobody minds them. Failure: none.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from policyd.process.terminal import fall_silent, of_terminal

__all__ = ["Signals"]

_ENDING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """See the module."""

    def __init__(self) -> None:
        self._closing = of_terminal(signal.getsignal(signal.SIGHUP))

    def heed(self, stop: Callable[[], object], reload: Callable[[], object]) -> None:
        """Call these, in the running event loop."""

        def hang_up() -> None:
            fall_silent()
            stop()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, hang_up if self._closing else reload)
        for number in _ENDING:
            loop.add_signal_handler(number, stop)

    def back(self) -> None:
        """Let a signal end the process at once."""
        for number in _ENDING:
            asyncio.get_running_loop().remove_signal_handler(number)
