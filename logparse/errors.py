"""What can go wrong in this package, as a tree.

    LogError                a log cannot be read; the text names it and says what to do

Contract: parsers never raise (a line nobody understands is an ``Unparsed``); only sources do.
Failure: none.
"""

from __future__ import annotations

__all__ = ["LogError"]


class LogError(Exception):
    """A log cannot be read; the text names it and says what to do."""
