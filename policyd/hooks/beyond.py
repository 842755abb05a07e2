"""What is known beforehand of where an attempt ends, and where Postfix turns to behind a next hop.

Contract: a frozen value, made from Postfix's own configuration (policyd.postfix.wiring). Nothing
known is the default, and then the gate goes by what it sees. Failure: none.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Beyond"]


class Beyond(NamedTuple):
    """See the module."""

    # pools of which every delivery agent tells the ends of its attempts by the status filter
    tells: frozenset[str] = frozenset()
    # names, as the gate is asked for them, that are tried when a next hop cannot be found
    fallbacks: frozenset[bytes] = frozenset()
