"""What a receiver took before it refused: from accepted messages to a rate.

Contract: pure; counts of accepted attempts over time, kept in few cells however many there are.
Failure: none; without history there is no estimate.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Accepted"]

_CELLS = 64
_HORIZON = 7200.0


class Accepted:
    """Accepted attempts as (first time, count) cells, fine when young and coarse when old."""

    __slots__ = ("_cells", "_total")

    def __init__(self) -> None:
        self._cells: list[list[float]] = []
        self._total = 0

    @property
    def total(self) -> int:
        """Accepted attempts since the lane is known."""
        return self._total

    def add(self, now: float, count: int = 1) -> None:
        """Count accepted attempts."""
        self._total += count
        cells = self._cells
        if cells and now - cells[-1][0] < 0.1:
            cells[-1][1] += count
            return
        cells.append([now, float(count)])
        if len(cells) > _CELLS:
            self._merge(now)

    def _merge(self, now: float) -> None:
        """Join the neighbours whose joining loses least, old ones first."""
        cells = self._cells
        while cells and now - cells[0][0] > _HORIZON:
            del cells[0]
        if len(cells) <= _CELLS:
            return
        best = min(
            range(len(cells) - 2),
            key=lambda i: (cells[i + 1][0] - cells[i][0]) / (now - cells[i][0] + 0.1),
        )
        cells[best][1] += cells[best + 1][1]
        del cells[best + 1]

    def rows(self) -> list[tuple[float, float]]:
        """When how many were accepted, as plain values."""
        return [(began, number) for began, number in self._cells]

    def restore(self, rows: Iterable[tuple[float, float]]) -> None:
        """Take them back; what was accepted meanwhile came later."""
        saved = [[began, number] for began, number in rows][-_CELLS:]
        self._cells = sorted(saved + self._cells)[-_CELLS:]
        self._total += int(sum(number for _, number in saved))

    def within(self, now: float, span: float) -> float:
        """Accepted attempts in the last `span` seconds, at least roughly."""
        count = 0.0
        for began, number in reversed(self._cells):
            if began < now - span:
                break
            count += number
        return count

    def between(self, begin: float, end: float) -> float:
        """Attempts that were accepted from one time to another, as cells tell."""
        return sum(number for began, number in self._cells if begin <= began < end)

    def since(self, count: float, end: float) -> float:
        """When the `count`th latest of the attempts accepted before `end` was accepted."""
        found = end
        for began, number in reversed(self._cells):
            if began < end:
                found = began
                count -= number
                if count <= 0:
                    break
        return found

    def best(self, end: float, told: float) -> tuple[float, float] | None:
        """The stretch with the best rate up to `end`: when it began, how many were accepted.

        Word of an acceptance may come late: what was told before `told` was accepted before `end`.
        """
        found, best, count = None, 0.0, 0.0
        for began, number in reversed(self._cells):
            if began >= told:
                continue
            count += number
            if began < end and count > best * (end - began):
                found, best = (began, count), count / (end - began)
        return found
