"""Is everything between Exim and mxheed as it must be? (Postfix's checks are in other modules.)

Contract: pure. `findings` judges what `policyd.doctor.eximseen` has seen, in a fixed order; each
one that is not fine says what to do. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from policyd.doctor.values import Finding
from policyd.exim.config import EximConfig
from policyd.exim.lines import FRESH, SELECTORS
from policyd.exim.setup import has_gate

__all__ = ["EximSeen", "findings"]

_ABOUT = "Exim"
_PRINTS = "mxheed setup exim prints the line"
_FALSE = ("", "false", "0")
# what makes a release deliver nothing, or lets a queue run send by the dozen without a question
_QUEUEING = {
    "queue_smtp_domains": "a release delivers nothing there, and queue runs send unasked",
    "queue_domains": "a release delivers nothing there",
}


@dataclass(frozen=True)
class EximSeen:
    """What was seen of one Exim, and of the daemon beside it."""

    config: EximConfig
    socket: str = ""  # where the daemon listens
    expanded: str | None = None  # what `hold_domains` came to for a trial; None: it failed,
    failed: str = ""  # and how
    age: float | None = None  # seconds since the file was touched; None: it is not there
    healthy: bool = True  # the daemon
    hand: str | None = ""  # why it cannot let mail go; None: not told
    runners: tuple[str, ...] = ()  # command lines of running daemons
    follows: bool | None = None  # the daemon follows Exim's log; None: not known
    queue_lifetime: float = 432_000.0
    unseen: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def findings(seen: EximSeen) -> Iterator[Finding]:
    """All of them."""
    for check in _CHECKS:
        for finding in check(seen):
            yield finding._replace(about=_ABOUT)


def _version(seen: EximSeen) -> Iterator[Finding]:
    version = ".".join(map(str, seen.config.version))
    if seen.config.version < (4, 92):
        yield Finding(
            "note", f"Exim {version} is older than any that was tried", "see docs/exim.md"
        )
    else:
        yield Finding("fine", f"Exim {version}, configured in {seen.config.file}")


def _gate(seen: EximSeen) -> Iterator[Finding]:
    value = seen.config.options.get("hold_domains", "")
    if not has_gate(value):
        yield Finding("wrong", "hold_domains does not ask mxheed: mail is not paced", _PRINTS)
        return
    if seen.socket and f"{{{seen.socket}}}" not in value:
        yield Finding("wrong", f"hold_domains does not ask at {seen.socket}", _PRINTS)
        return
    if seen.failed:
        yield Finding(
            "wrong",
            f"Exim cannot expand hold_domains, and defers all outbound mail: {seen.failed}",
            f"take it out at once; {_PRINTS}",
        )
    elif seen.expanded is None:
        yield Finding("unchecked", "hold_domains was not tried", "run it as root")
    elif not seen.expanded.rstrip(" :").endswith("*"):
        why = "nobody answers there as mxheed does, or the file that says so is old"
        yield Finding("wrong", f"hold_domains holds nothing: {why}", "start mxheed; see its log")
    else:
        yield Finding("fine", "hold_domains was expanded: it asks mxheed, and holds what it says")
    if "stat:" not in value:
        yield Finding(
            "note",
            "hold_domains asks without looking whether mxheed is alive",
            f"a daemon that hangs costs each recipient a second; {_PRINTS}",
        )


def _alive(seen: EximSeen) -> Iterator[Finding]:
    if seen.healthy and (seen.age is None or seen.age > FRESH):
        told = "is missing" if seen.age is None else f"is {seen.age:.0f} s old"
        yield Finding(
            "wrong",
            f"the file that tells Exim that mxheed is alive {told}: Exim does not ask",
            "may mxheed's user write there? serve.alive names it; see mxheed's log",
        )


def _queueing(seen: EximSeen) -> Iterator[Finding]:
    for name, what in _QUEUEING.items():
        if value := seen.config.options.get(name, ""):
            yield Finding("wrong", f"{name} is {value}: {what}", f"take {name} out; pacing holds")
    if seen.config.options.get("queue_only", "") not in _FALSE:
        yield Finding(
            "note",
            "queue_only is set: each message waits for a queue run before mxheed hears of it",
            "have queue runs often (-q1m), or take queue_only out",
        )
    for line in seen.runners:
        if re.search(r"(?:^|\s)-qq", line):
            yield Finding(
                "wrong",
                f"a queue runner routes first and delivers later (`{line}`): partly unasked",
                "use -q instead of -qq (Debian: QFLAGS in /etc/default/exim4)",
            )


def _log(seen: EximSeen) -> Iterator[Finding]:
    has = seen.config.options.get("log_selector", "").split()
    if "-retry_defer" in has:
        yield Finding(
            "wrong",
            "log_selector hides deferrals without an attempt (-retry_defer): a release that tries "
            "nothing is not seen",
            "take -retry_defer out",
        )
    missing = [one for one in SELECTORS if f"+{one}" not in has and "+all" not in has]
    if missing:
        words = " ".join(f"+{one}" for one in missing)
        yield Finding("note", f"log_selector lacks {words}", f"times and attempts are told apart "
                      f"better with them; {_PRINTS}")  # fmt: skip
    if seen.follows is False:
        yield Finding(
            "wrong",
            "mxheed does not follow Exim's log: nothing that Exim's receivers say is heard",
            "name it in log.path (/var/log/exim4/mainlog), readable for mxheed's user: group adm",
        )


def _hand(seen: EximSeen) -> Iterator[Finding]:
    if seen.hand is None:
        yield Finding("unchecked", "whether the daemon can let Exim's mail go", "run it as root")
    elif seen.hand:
        yield Finding(
            "wrong",
            f"the daemon cannot let mail held in Exim's queue go: {seen.hand}",
            "until then it waits for Exim's queue runs; exim -q -q lets it go now",
        )
    else:
        yield Finding("fine", "the daemon can let mail held in Exim's queue go (it tried)")


def _lifetime(seen: EximSeen) -> Iterator[Finding]:
    cutoff = seen.config.cutoff
    if cutoff and cutoff < 86_400:
        yield Finding(
            "note",
            f"Exim's retry rules give mail up after {cutoff / 3600:g} h",
            "a receiver that stops longer costs mail; a longer last rule (F,4d,6h) costs nothing",
        )


_CHECKS: tuple[Callable[[EximSeen], Iterator[Finding]], ...] = (
    _version, _gate, _alive, _queueing, _log, _hand, _lifetime,
)  # fmt: skip
