"""The lab's one exception.

Contract: raised by everything in this package. Failure: none.
"""

from __future__ import annotations

__all__ = ["LabError"]


class LabError(Exception):
    """Something in the lab did not go as it must."""
