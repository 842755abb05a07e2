"""Does Postfix ask our sockets, and does it get an answer there?

Contract: pure, as `policyd.doctor`, of which it is a part. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator

from policyd.doctor.safety import PROBE
from policyd.doctor.values import Check, Facts, Finding, Hook, HookProbe, Level

__all__ = ["CHECKS"]

# how bad it is when Postfix does not ask this map, and what is missed; pacing needs the gate only
_WITHOUT: dict[str, tuple[Level, str]] = {
    "mx": ("wrong", "mail is not paced"),
    "status": (
        "note",
        "limits spoken as 5yz bounce, and held mail may leave by a second next hop that only a "
        "transport table names",
    ),
}
_SLOW = 0.05  # seconds; answers come from memory in well under a millisecond


def _named(facts: Facts) -> Iterator[Finding]:
    """Does Postfix name our maps where it must, also in the services that override it?"""
    for hook in facts.hooks:
        if hook.name in _WITHOUT:
            yield from _map_named(hook, facts)


def _map_named(hook: Hook, facts: Facts) -> Iterator[Finding]:
    level, without = _WITHOUT[hook.name]
    wanted = f"socketmap:{hook.address}:{hook.name}"
    value = " ".join(facts.parameters.get(hook.parameter, "").split())
    if wanted not in value:
        yield Finding(
            level,
            f"{hook.parameter} does not name {wanted}" + (f" (it is: {value})" if value else ""),
            f"{without}; mxheed setup postfix prints the line",
        )
        return
    yield Finding("fine", f"{hook.parameter} names {wanted}")
    for service in facts.services:
        override = service.options.get(hook.parameter)
        away = override is not None and hook.address not in override
        if service.command == "smtp" and away and service.name != PROBE:
            yield Finding(
                "note",
                f"the service {service.name} overrides {hook.parameter} ({override or 'empty'})",
                f"there {without}: remove the override if that is not meant",
            )


def _reachable(facts: Facts) -> Iterator[Finding]:
    """A chrooted service sees nothing outside of the queue directory."""
    for hook in facts.hooks:
        agent = "smtpd" if hook.name == "policy" else "smtp"
        for service in facts.services:
            if service.command == agent and service.chroot and hook.address.startswith("unix:/"):
                yield Finding(
                    "wrong",
                    f"the service {service.name} is chrooted and cannot see {hook.address}",
                    "put the socket under the queue directory and name it relative to it",
                )
                break


def _answers(facts: Facts) -> Iterator[Finding]:
    for probe in facts.probes:
        yield _probed(probe)


def _probed(probe: HookProbe) -> Finding:
    place = f"asked as {probe.user}{', chrooted' if probe.chroot else ''}"
    what = f"{probe.hook} ({probe.question!r}, {place})"
    if probe.blind:
        return Finding("unchecked", f"{probe.hook}: {probe.blind}", "run it as root")
    if probe.error:
        return Finding("wrong", f"{what}: {probe.error}", _remedy(probe.error))
    expected = "action=DUNNO" if probe.hook == "policy" else "NOTFOUND"
    if not probe.reply.startswith(expected):
        return Finding(
            "wrong", f"{what} answers {probe.reply!r}", f"expected {expected}: restart mxheed"
        )
    if probe.seconds > _SLOW:
        return Finding(
            "note", f"{what} took {probe.seconds * 1000:.0f} ms", "is the machine out of CPU?"
        )
    return Finding("fine", f"{what}: {probe.reply.strip()}")


def _remedy(error: str) -> str:
    if "No such file" in error:
        return "start mxheed; its socket must lie under Postfix's queue directory"
    if "Permission" in error:
        return "let Postfix's user in: serve.group: postfix, and a directory it may enter (2750)"
    if "refused" in error:
        return "start mxheed, or `mxheed bypass` until it runs again"
    if "timed out" in error:
        return "the process behind the socket hangs: end it, start mxheed or `mxheed bypass`"
    return "see the daemon's log"


CHECKS = (
    Check("the maps are named", _named),
    Check("the sockets can be seen", _reachable),
    Check("the sockets answer", _answers),
)
