"""How Postfix is wired to the gate: read from its configuration, and anew when that changes.

Contract: `wired` is pure: of each transport that asks a gate it tells whether the status filter is
asked over the same connection, and which relays stand behind its first next hop. `Wiring` reads
that with the daemon's own rights: `read` blocks (it runs `postconf`) and is called at start and on
reload; `run` sees within seconds that main.cf or master.cf was changed, and says what is known.
Failure: what cannot be read is said once and tried again each minute; meanwhile nothing is known,
and the gate goes by what it sees.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from policyd.hooks.beyond import Beyond
from policyd.postfix import postconf
from policyd.postfix.postconf import PostconfError, Service
from policyd.postfix.tables import tables

__all__ = ["Wiring", "wired"]

_log = logging.getLogger(__name__)

_PARAMETERS = (
    "config_directory",
    "relayhost",
    "smtp_delivery_status_filter",
    "smtp_dns_reply_filter",
    "smtp_fallback_relay",
)
_FILES = ("main.cf", "master.cf")
_GATE = re.compile(r"socketmap:(.+):mx(?:/(.*))?")
_STATUS = re.compile(r"socketmap:(.+):status(?:/.*)?")
_PAUSE = 2.0  # seconds between two looks at the files' times,
_AGAIN = 60.0  # and until what could not be read is tried again
_HOP = re.compile(r"\[([^\]]+)\](?::\w+)?|([^:\[\]]+)(?::\w+)?")


def wired(instances: Iterable[tuple[Mapping[str, str], Iterable[Service]]]) -> Beyond:
    """What parameters and services of all instances come to."""
    tells: dict[str, bool] = {}
    fallbacks: set[bytes] = set()
    for parameters, services in instances:
        for service in services:
            if service.command != "smtp" or service.kind == "inet":
                continue
            has = {**parameters, **service.options}
            status = {found[1] for found in _named(_STATUS, has, "smtp_delivery_status_filter")}
            gates = list(_named(_GATE, has, "smtp_dns_reply_filter"))
            for gate in gates:
                pool = gate[2] or ""
                tells[pool] = tells.get(pool, True) and gate[1] in status
            if gates:
                relays = [*tables(has.get("relayhost", ""))][1:]
                relays += tables(has.get("smtp_fallback_relay", ""))
                fallbacks.update(filter(None, map(_asked, relays)))
    return Beyond(frozenset(pool for pool, all_tell in tells.items() if all_tell),
                  frozenset(fallbacks))  # fmt: skip


def _named(pattern: re.Pattern[str], has: Mapping[str, str], name: str) -> Iterator[re.Match[str]]:
    return filter(None, map(pattern.fullmatch, tables(has.get(name, ""))))


def _asked(hop: str) -> bytes:
    """The name that the gate is asked for; b"": none, as for a number."""
    found = _HOP.fullmatch(hop)
    name = (found[1] or found[2]).lower().rstrip(".") if found else ""
    number = ":" in name or re.fullmatch(r"[\d.]*", name)
    return b"" if number or not name.isascii() else name.encode() + b"."


class Wiring:
    """See the module; `tell` is called with what was read."""

    def __init__(self, directories: Sequence[str], tell: Callable[[Beyond], None]) -> None:
        self.directories = directories
        self._tell = tell
        self._seen: tuple[object, ...] = ()
        self._files: list[str] = []
        self._words = self._said = ""

    def read(self) -> None:
        """Read it now."""
        instances = []
        self._files = []
        try:
            for directory in self.directories or ("",):
                parameters = postconf.parameters(directory, *_PARAMETERS)
                place = parameters.get("config_directory", directory)
                self._files += [os.path.join(place, name) for name in _FILES]
                self._seen = self._times()  # what is written from here on is read again
                instances.append((parameters, tuple(postconf.services(directory))))
        except (PostconfError, ValueError) as wrong:
            self._files = []
            self._words = f"how Postfix is wired is not known: {wrong}"
            self._tell(Beyond())
        else:
            found = wired(instances)
            self._words = _words(found)
            self._tell(found)

    async def run(self) -> None:
        """Read it again whenever it changes, until cancelled."""
        while True:
            self._say()
            await asyncio.sleep(_PAUSE if self._files else _AGAIN)
            if not self._files or self._times() != self._seen:
                await asyncio.to_thread(self.read)

    def _times(self) -> tuple[object, ...]:
        return tuple(map(_time, self._files))

    def _say(self) -> None:
        if self._words != self._said:
            _log.info("%s", self._words)
        self._said = self._words


def _words(found: Beyond) -> str:
    pools = ", ".join(sorted(pool or "the default one" for pool in found.tells)) or "no pool"
    relays = b", ".join(sorted(found.fallbacks)).decode() or "none"
    return f"Postfix: the status filter tells for {pools}; relays behind the first: {relays}"


def _time(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
