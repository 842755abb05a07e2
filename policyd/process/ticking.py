"""What has to be done once a second, second after second.

Contract: `every_second` runs until it is cancelled. Failure: what a second's work raises is logged,
and the next second is another one: mail must not wait for our mistake.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

__all__ = ["every_second"]

_log = logging.getLogger(__name__)


async def every_second(work: Callable[[], None]) -> None:
    """Do it now, and then each second."""
    while True:
        try:
            work()
        except Exception:  # told in the head
            _log.exception("a second could not be minded")
        await asyncio.sleep(1.0)
