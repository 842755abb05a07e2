"""How much is said in words that nobody has said before: a receiver that changed its mind.

Contract: `new_replies` looks at the stored texts: by receiver, how many replies came with texts
that were heard for the first time within `_FRESH` seconds. While the memory itself is younger than
a day everything is new, and nothing is told. Failure: `sqlite3.Error`, the owner's transaction.
"""

from __future__ import annotations

from sqlite3 import Connection

__all__ = ["new_replies"]

_FRESH = 3600.0
_YOUNG = 86_400.0
_NEW = (
    "SELECT receiver, sum(heard) FROM texts WHERE first >= ?1"
    " AND (SELECT min(first) FROM texts) < ?2 GROUP BY receiver"
)


def new_replies(db: Connection, now: float) -> dict[str, int]:
    """Replies by receiver."""
    return {str(name): int(n) for name, n in db.execute(_NEW, (now - _FRESH, now - _YOUNG))}
