"""What survives a restart: position, counters and evidence, in one SQLite file."""

from __future__ import annotations

from policyd.store.damage import Damage
from policyd.store.sqlite import Saved, Store

__all__ = ["Damage", "Saved", "Store"]
