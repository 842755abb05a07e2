"""A private mail world for tests: Postfix, name server, scripted receivers, in namespaces.

Contract: `Lab` is all a test needs; `why_not` says why it cannot be had here. See docs/lab.md.
Failure: `LabError`.
"""

from __future__ import annotations

from .errors import LabError
from .lab import Lab, Ran, ReceiverView
from .namespace import why_not

__all__ = ["Lab", "LabError", "Ran", "ReceiverView", "why_not"]
