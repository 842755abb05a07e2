"""Time that only goes forward: what every duration is measured by.

The wall clock is set, by NTP after a boot, by hand, by whoever moves a virtual machine. A stop of
2.5 s must not become a day by that. So a `Clock` tells steady seconds: they begin as POSIX seconds
and then follow the machine's boot clock, which nobody sets and which goes on while it sleeps.
Contract: calling it gives steady seconds; `now` is the same, quicker. `wall`, `posix` and `steady`
translate where times come in or go out: stamps of a log, pages, commands. `seal` goes with whatever
is saved; `shift` says what to add to times saved under a seal. After a restart that is exact,
however the wall clock was set meanwhile; after a reboot the wall clock tells how long it took, and
if it was set back, no time.
Failure: none; from a seal that is damaged the saved moment is taken for now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

__all__ = ["Clock", "this_boot"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RENEWED = 60.0  # seconds a seal is used: what is saved with it stays the same bytes so long


_ticks = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


def this_boot() -> str:
    """What tells this run of the machine from others; "" where nothing does."""
    try:
        return _BOOT.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class Clock:
    """See the module; `wall` and `ticks` are the two clocks it is made from."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = _ticks,
        boot: str = "",
    ) -> None:
        self.wall = wall
        self._ticks = ticks
        self._boot = boot
        self._origin = origin = wall() - ticks()
        self._seal: dict[str, Any] = {}
        self.now: Callable[[], float] = lambda: ticks() + origin

    def __call__(self) -> float:
        """Steady seconds."""
        return self._ticks() + self._origin

    def posix(self, then: float) -> float:
        """What a wall clock that was right all the time would have shown then."""
        return then + (self.wall() - self())

    def steady(self, posix: float) -> float:
        """When something happened that bears this stamp; nothing happens later than now."""
        now = self()
        return min(posix + (now - self.wall()), now)

    def seal(self) -> Mapping[str, Any]:
        """Where all clocks stand, to be saved with times of this one."""
        now = self()
        if not self._seal or now - self._seal["steady"] > _RENEWED:
            ticks = self._ticks()
            self._seal = {
                "boot": self._boot, "ticks": ticks, "steady": ticks + self._origin,
                "posix": self.wall(),
            }  # fmt: skip
        return self._seal

    def shift(self, seal: Mapping[str, Any]) -> float:
        """What to add to steady times saved under this seal to have them on this clock."""
        now = self()
        ticks, steady, posix = (_number(seal.get(key)) for key in ("ticks", "steady", "posix"))
        if steady is None:
            return 0.0
        gone: float | None = None
        if self._boot and seal.get("boot") == self._boot and ticks is not None:
            gone = self._ticks() - ticks
        elif posix is not None:
            gone = self.wall() - posix
        return now - max(gone or 0.0, 0.0) - steady


def _number(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if good and isfinite(value) else None  # type: ignore[arg-type]
