"""A dict that forgets its oldest entries: every table fed by remote names must be bounded.

Contract: insertion order is age; setting a key that is there does not renew it. When full, the
oldest eighth goes at once, so that the cost per entry stays small. `get` is the dict's own: many
tables are looked into at every question.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Bounded"]

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """At most `size` entries."""

    __slots__ = ("_data", "_size", "get")

    def __init__(self, size: int) -> None:
        self._size = size
        self._data: dict[K, V] = {}
        self.get = self._data.get

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __setitem__(self, key: K, value: V) -> None:
        data = self._data
        if len(data) >= self._size and key not in data:
            for old in list(data)[: max(1, self._size // 8)]:
                del data[old]
        data[key] = value

    def pop(self, key: K) -> V | None:
        """Forget an entry."""
        return self._data.pop(key, None)

    def items(self) -> Iterator[tuple[K, V]]:
        """Entries, oldest first."""
        return iter(list(self._data.items()))
