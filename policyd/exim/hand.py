"""The hand on Exim's queue: let one message go, list the queue, know whether that works.

Contract: the same three calls as Postfix's hand (`let_go`, `listing`, `check`), each one request of
`ask`, which is either `exim` itself (`EximCommand`, where our rights allow it) or the service that
has the rights (`policyd.exim.remote`). A message goes by `-Mc`, which asks the gate again; by `-M`,
which does not, only if `forced`. A frozen message stays so: `-M` would thaw it, so it is not asked
for one that the queue listed as frozen. `trouble` is the present state.
Failure: `HandError` from `listing`; the others return the words, "" for success.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from policyd.exim.config import cutoff
from policyd.exim.running import BusyError, Ended, Runner
from policyd.postfix.hand import HandError

__all__ = ["ID", "NOBODY", "EximCommand", "EximHand", "Way", "arrived", "words"]

ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})")
NOBODY = "000000-000000-00"  # of the year 1970
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BEGUN = 0.3  # seconds after which what runs is a delivery: it is not waited for
_READING = 60.0
_LOCKED = "(another process is handling this message)"
_SIGNS = ("Spool ", "ermission denied")
_IN_A_ROW = 3
_LONGEST = 300
_READ = 4096  # bytes of what it said
_NAMES = ("exim4", "exim")
_OPTIONS = {
    "go": ("-Mc",), "force": ("-M",), "list": ("-bp",), "check": ("-Mc", NOBODY),
    "story": ("-Mvl",), "rule": ("-brt", "mxheed.invalid"),
}  # fmt: skip

_REMEDIES = (
    ("Spool ", "NoNewPrivileges takes Exim's rights away: use mxheed-exim-hand.socket"),
    ("ermission denied", "put the user into Exim's group, or use mxheed-exim-hand.socket"),
    ("No such file", "is Exim installed here? release.exim names its command"),
)
_OTHERWISE = "run it by hand as the same user"


def arrived(message: str) -> float:
    """When a message came, as its id tells it (base 62); POSIX seconds."""
    value = 0
    for digit in message[:6]:
        value = value * 62 + _DIGITS.index(digit)
    return float(value)


class Way(Protocol):
    """How Exim is reached."""

    name: str

    @property
    def there(self) -> bool:
        """Whether there is an Exim to be reached."""

    async def ask(self, verb: str, ids: Iterable[str] = ()) -> Ended:
        """`go`, `force`, `list`, `check`, `story`, `rule`; OSError, BusyError: it cannot be."""


class EximCommand:
    """Exim as a child of this process."""

    def __init__(self, command: str, find: Callable[[str], str | None]) -> None:
        """`find` looks a program up; an empty command: whichever name it has here."""
        names = (command,) if command else _NAMES
        self._path = next(filter(None, map(find, names)), "")
        self.name = self._path or names[0]
        self._runner = Runner()

    @property
    def there(self) -> bool:
        return bool(self._path)

    async def ask(self, verb: str, ids: Iterable[str] = ()) -> Ended:
        command = (self.name, *_OPTIONS[verb], *ids)
        delivers = verb in ("go", "force")
        ended = await self._runner.start(command, _BEGUN if delivers else _READING)
        if ended is None and not delivers:
            raise TimeoutError(f"no end after {_READING:g} s")
        return ended or Ended(0, b"")  # under way


class EximHand:
    """See the module."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._unchecked = self._unlisted = self._unreleased = ""
        self._in_a_row = 0
        self.frozen: frozenset[str] = frozenset()  # as listed last
        self.asked = {"exim": 0, "exim_forced": 0}

    @property
    def away(self) -> bool:
        """Whether there is no Exim here."""
        return not self._way.there

    @property
    def trouble(self) -> str:
        """Why held messages cannot be let go just now; "": they can."""
        unreleased = self._unreleased if self._in_a_row >= _IN_A_ROW else ""
        return self._unchecked or unreleased or self._unlisted

    async def let_go(self, message: str, *, forced: bool = False) -> str:
        """Have Exim deliver a message now; why it could not be asked."""
        if not ID.fullmatch(message):
            return "not a message id"
        forced = forced and message not in self.frozen
        self.asked["exim_forced" if forced else "exim"] += 1
        failure, ended = await self._ask("force" if forced else "go", (message,))
        if not failure and ended is not None and _LOCKED.encode() in ended.said:
            return "it is being delivered"  # of that the log will tell; no fault of the hand
        if failure:
            self._in_a_row += 1
            self._unreleased = failure
        else:
            self._in_a_row, self._unchecked = 0, ""
        return failure

    async def listing(self) -> bytes:
        """Everything in the queue, as `exim -bp` prints it."""
        self._unlisted, ended = await self._ask("list")
        if self._unlisted or ended is None:
            raise HandError(self._unlisted)
        return ended.said

    async def story(self, message: str) -> bytes:
        """What its own log says of a message; b"": nothing is known."""
        _, ended = await self._ask("story", (message,))
        return ended.said if ended is not None and ended.code == 0 else b""

    async def lifetime(self) -> float:
        """Seconds after which Exim's retry rules give a message up; 0.0: not told."""
        _, ended = await self._ask("rule")
        return cutoff(ended.said.decode("utf-8", "replace")) if ended is not None else 0.0

    async def check(self) -> str:
        """Whether Exim takes a release from us now."""
        self._unchecked, _ = await self._ask("check", ())
        if not self._unchecked:
            self._in_a_row = 0
        return self._unchecked

    async def _ask(self, verb: str, ids: Iterable[str] = ()) -> tuple[str, Ended | None]:
        try:
            ended = await self._way.ask(verb, ids)
        except (OSError, BusyError) as wrong:  # a time-out is an OSError
            said = getattr(wrong, "strerror", None) or str(wrong)
            return _told(self._way.name, verb, said), None
        return words(self._way.name, verb, ended), ended


def words(name: str, verb: str, ended: Ended) -> str:
    """What a failure means and what to do; "" for success.

    Without its rights Exim ends with 0: it only complains to us of what it usually logs.
    """
    said = ended.said[-_READ:].decode("utf-8", "replace")
    reads = verb in ("list", "story", "rule")
    complains = not reads and _LOCKED not in said and any(sign in said for sign in _SIGNS)
    if ended.code == 0 and not complains:
        return ""
    line = "; ".join(filter(None, map(str.strip, said.splitlines())))[:_LONGEST]
    clean = "".join(char if char.isprintable() else "?" for char in line)
    return _told(name, verb, f"{clean} (exit code {ended.code})" if ended.code else clean)


def _told(name: str, verb: str, said: str) -> str:
    option = _OPTIONS[verb][0]
    todo = next((todo for sign, todo in _REMEDIES if sign in said), _OTHERWISE)
    if name.startswith("unix:") and ("No such file" in said or "refused" in said):
        todo = "start mxheed-exim-hand.socket"
    return f"`{name} {option}`: {said}; {todo}"
