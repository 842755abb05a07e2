"""What is missing or wrong between a running Postfix and mxheed.

Contract: pure. `examine` looks at facts that `policyd.doctor_facts` gathered and returns findings
in a fixed order; each one that is not fine says what to do. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policyd.doctor_transports import examine_transports
from policyd.doctor_values import Facts, Finding, Hook, Level, Probe

__all__ = ["examine", "seconds"]

# how bad it is when Postfix does not ask this hook, and what is missed; pacing needs the gate only
_WITHOUT: dict[str, tuple[Level, str]] = {
    "mx": ("wrong", "mail is not paced"),
    "status": ("note", "limits spoken as 5yz bounce"),
    "policy": ("note", "submission is not asked to wait for receivers that are suspended"),
}
_RESTRICTIONS = re.compile(r"smtpd_\w+_restrictions")
_SLOW = 0.05  # seconds; answers come from memory in well under a millisecond
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def examine(facts: Facts) -> Iterator[Finding]:
    """All findings."""
    yield from _postfix(facts)
    for hook in facts.hooks:
        yield from _named(hook, facts)
    for probe in facts.probes:
        yield _probed(probe)
    yield from _daemon(facts)
    yield from _flush(facts)
    yield from _times(facts)
    yield from examine_transports(facts)


def _postfix(facts: Facts) -> Iterator[Finding]:
    version = ".".join(map(str, facts.version))
    if facts.version < (3, 0):
        yield Finding("wrong", f"Postfix {version} has no DNS reply filter", "use 3.0 or newer")
    else:
        yield Finding("fine", f"Postfix {version}")
    if not facts.running:
        yield Finding("wrong", "Postfix is not running", "postfix start")


def _named(hook: Hook, facts: Facts) -> Iterator[Finding]:
    """Does Postfix name our socket where it must, also in the services that override it?"""
    wanted = hook.address if hook.name == "policy" else f"socketmap:{hook.address}:{hook.name}"
    level, without = _WITHOUT[hook.name]
    parameter, value = _where(hook, facts, wanted)
    if wanted not in value:
        yield Finding(
            level,
            f"{parameter} does not name {wanted}" + (f" (it is: {value})" if value else ""),
            f"{without}; mxheed setup postfix prints the line",
        )
        return
    yield Finding("fine", f"{parameter} names {wanted}")
    if hook.name == "policy":
        yield from _fails_open(value, wanted)
    agent = "smtpd" if hook.name == "policy" else "smtp"
    for service in facts.services:
        override = service.options.get(parameter)
        if service.command == agent and override is not None and hook.address not in override:
            yield Finding(
                "note",
                f"the service {service.name} overrides {parameter} ({override or 'empty'})",
                f"there {without}: remove the override if that is not meant",
            )
        if service.command == agent and service.chroot and hook.address.startswith("unix:/"):
            yield Finding(
                "wrong",
                f"the service {service.name} is chrooted and cannot see {hook.address}",
                "put the socket under the queue directory and name it relative to it",
            )


def _where(hook: Hook, facts: Facts, wanted: str) -> tuple[str, str]:
    """The parameter that names a hook, and its value; the usual one if none does."""
    names = [hook.parameter]
    if hook.name == "policy":  # may be asked at any stage of a session
        names += [name for name in facts.parameters if _RESTRICTIONS.fullmatch(name)]
    values = {name: " ".join(facts.parameters.get(name, "").split()) for name in names}
    return next(
        ((name, value) for name, value in values.items() if wanted in value),
        (hook.parameter, values[hook.parameter]),
    )


def _fails_open(value: str, wanted: str) -> Iterator[Finding]:
    options = re.search(rf"\{{\s*{re.escape(wanted)}\s*,([^}}]*)\}}", value)
    given = dict(re.findall(r"(\w+)\s*=\s*([^,\s]+)", options[1] if options else ""))
    if given.get("default_action", "").upper() != "DUNNO":
        yield Finding(
            "wrong",
            "without mxheed, smtpd refuses mail (451)",
            f"write check_policy_service {{ {wanted}, timeout=2s, try_limit=1, "
            "default_action=DUNNO }",
        )
    if seconds(given.get("timeout", "100s")) > 5:
        yield Finding(
            "wrong",
            "a hung mxheed delays each recipient at submission by more than 5 s",
            "add timeout=2s to check_policy_service",
        )


def _probed(probe: Probe) -> Finding:
    place = f"asked as {probe.user}{', chrooted' if probe.chroot else ''}"
    what = f"{probe.hook} ({probe.question!r}, {place})"
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


def _daemon(facts: Facts) -> Iterator[Finding]:
    daemon = facts.daemon
    if not daemon.healthy:
        yield Finding("wrong", "mxheed does not answer /healthz", "start it; see its log")
    if daemon.log and not daemon.log_readable:
        yield Finding(
            "wrong",
            f"{daemon.user} cannot read {daemon.log}",
            f"usermod -a -G adm {daemon.user}, or name another log in log.path",
        )


def _flush(facts: Facts) -> Iterator[Finding]:
    """May the daemon's user release a held message?"""
    user, allowed = facts.daemon.user, facts.parameters.get("authorized_flush_users", "")
    if not user:
        return
    if user != "root" and "static:anyone" not in allowed and user not in allowed.split():
        yield Finding(
            "wrong",
            f"{user} may not release mail (authorized_flush_users = {allowed})",
            f"add {user} to authorized_flush_users",
        )
    elif user != "root" and "postdrop" not in facts.daemon.groups:
        yield Finding(
            "note",
            f"{user} is not in the group postdrop",
            f"usermod -a -G postdrop {user}: where setgid is off (NoNewPrivileges=yes) held mail "
            "waits for Postfix's own retry otherwise",
        )
    elif user != "root" and facts.directory and facts.directory not in facts.directories:
        yield Finding(
            "wrong",
            f"{user} may not ask for the queue of {facts.directory}",
            f"add {facts.directory} to alternate_config_directories in the main.cf of the "
            "machine's own Postfix",
        )
    else:
        yield Finding("fine", f"{user} may release held mail")


def _times(facts: Facts) -> Iterator[Finding]:
    lifetime = seconds(facts.parameters.get("maximal_queue_lifetime", "5d"))
    if lifetime != facts.daemon.queue_lifetime:
        yield Finding(
            "wrong",
            f"maximal_queue_lifetime is {lifetime:g} s, mxheed believes "
            f"{facts.daemon.queue_lifetime:g} s",
            f"set pacing.queue_lifetime: {lifetime:g}s",
        )
    limit = facts.parameters.get("smtp_destination_recipient_limit", "")
    if not limit.isdecimal():  # "$default_destination_recipient_limit"
        limit = facts.parameters.get("default_destination_recipient_limit", "50")
    if limit.isdecimal() and int(limit) != facts.daemon.recipients:
        yield Finding(
            "note",
            f"smtp delivers to {limit} recipients at once, mxheed counts with "
            f"{facts.daemon.recipients}",
            f"set pacing.recipients: {limit}",
        )


def seconds(text: str) -> float:
    """Postfix's way to write a time: 5d, 300s, 10."""
    found = re.fullmatch(r"(\d+)([smhdw]?)", text.strip())
    return float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
