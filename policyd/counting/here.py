"""Which of the machines in a log is this one, and which share its addresses.

A log on this machine names it as it likes: by its short or its long name, or by one that nobody
else knows it by. So a log in which only one machine speaks is this machine's, whatever its name,
also where the name changes. Where several speak in turn, only that of our own name is: the words
of another one must not hold or release our mail.
Contract: `meet(turns)` is told who spoke after whom, `role(machine)` is "here", "shared" (as the
configuration says: it moves lanes, and touches no message of ours) or "other" (only shown). Lines
that name no machine are of this one. `why` has words where several speak and none is this one.
Failure: none; what is remembered is bounded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

__all__ = ["ROLES", "Here", "Role", "same_machine"]

_log = logging.getLogger(__name__)

Role = Literal["here", "shared", "other"]
ROLES: dict[Role, str] = {
    "here": "taken for this machine's",
    "shared": "taken for those of one that shares the addresses",
    "other": "only shown",
}
_BOOTING = "localhost"  # what a machine calls itself before it knows its name
_MOST = 16  # names that are remembered as having been this machine's


def same_machine(one: str, other: str) -> bool:
    """Whether two names may be those of one machine: one of them may be short."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


class Here:
    """See the module."""

    def __init__(
        self,
        own: Callable[[], Iterable[str]],
        named: Sequence[str] = (),
        shared: Sequence[str] = (),
    ) -> None:
        """`own`: the names of this machine as it tells them itself; `named`: as it is told."""
        self._own = own
        self._named = tuple(name.lower() for name in named)
        self._shared = tuple(name.lower() for name in shared)
        self._names: list[str] = []  # in the order in which they came up, newest last
        self._several = False  # one spoke again after another: they are several machines
        self._known = False  # one of them has our own name

    @property
    def why(self) -> str:
        """Words for a log of several machines none of which is this one."""
        if self._named or self._known or not self._several:
            return ""
        names = ", ".join(self._names[:3]) + (", …" if len(self._names) > 3 else "")
        return f"none of the machines in the log ({names}) is this one: name it in log.here"

    def meet(self, turns: Iterable[str]) -> bool:
        """Take in who spoke after whom; True: a role may be another one now."""
        before = self._several, self._known
        for name in turns:
            if not name or (self._names and name == self._names[-1]):
                continue
            if any(same_machine(name, shared) for shared in self._shared):
                continue
            own = self._is_own(name)
            if not own and same_machine(name, _BOOTING):
                continue
            self._known = self._known or own
            if self._names and same_machine(name, self._names[-1]):
                continue
            if name in self._names:
                self._several = True
                self._names.remove(name)
            self._names.append(name)
            del self._names[:-_MOST]
        changed = before != (self._several, self._known)
        if changed and self.why:
            _log.warning("%s", self.why)
        return changed

    def role(self, machine: str, told: bool = False) -> Role:
        """What a machine is to us; `told`: its name stands in the path of its log."""
        if not machine:
            return "here"
        if any(same_machine(machine, name) for name in self._shared):
            return "shared"
        if self._named:
            return "here" if any(same_machine(machine, name) for name in self._named) else "other"
        if self._is_own(machine):
            return "here"
        return "other" if told or self._known or self._several else "here"

    def _is_own(self, machine: str) -> bool:
        return any(name and same_machine(machine, name.lower()) for name in self._own())

    def snapshot(self) -> dict[str, Any]:
        """What must outlive a restart."""
        return {"names": self._names, "several": self._several, "known": self._known}

    def restore(self, saved: object) -> None:
        """Takes a snapshot back."""
        if not isinstance(saved, dict) or not isinstance(saved.get("names"), list):
            return
        self._names = [name for name in saved["names"] if isinstance(name, str)][-_MOST:]
        self._several, self._known = bool(saved.get("several")), bool(saved.get("known"))
