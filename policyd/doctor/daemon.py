"""Is mxheed itself well: does it run, follow real mail, pace, and let held mail go?

Contract: pure, as `policyd.doctor`, of which it is a part. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator

from policyd.doctor.values import Check, Facts, Finding

__all__ = ["CHECKS"]

_SAMPLE = "the sample day"


def _healthy(facts: Facts) -> Iterator[Finding]:
    """Its own words for what is not well go before ours."""
    daemon = facts.daemon
    for name, why in daemon.troubles.items():
        yield Finding("wrong", f"mxheed says of {name}: {why}", "see its log")
    if not daemon.healthy and not daemon.troubles:
        yield Finding("wrong", "mxheed does not answer /healthz", "start it; see its log")


def _follows(facts: Facts) -> Iterator[Finding]:
    """A daemon that plays the sample knows nothing of this machine's mail."""
    if facts.daemon.source == _SAMPLE:
        yield Finding(
            "wrong",
            f"mxheed plays {_SAMPLE}: it reads no log of this machine, and paces nothing",
            "name the log (log.path), and let mxheed's user read it: usermod -a -G adm USER",
        )
    elif facts.daemon.source:
        yield Finding("fine", f"mxheed follows {facts.daemon.source}")


def _active(facts: Facts) -> Iterator[Finding]:
    if not facts.daemon.active:
        yield Finding("note", "mxheed has stepped aside and paces nothing", "mxheed on")


def _ours(facts: Facts) -> Iterator[Finding]:
    """What receivers say is wrong with this machine: waiting does not mend it."""
    daemon = facts.daemon
    if daemon.ours:
        todo = f"{daemon.remedy} in main.cf, and in transports with options of their own"
        yield Finding("wrong", daemon.ours, todo)


def _current(facts: Facts) -> Iterator[Finding]:
    running = facts.daemon.version
    if running and facts.own_version and running != facts.own_version:
        yield Finding(
            "note",
            f"mxheed {running} runs, mxheed {facts.own_version} is installed",
            "systemctl restart mxheed",
        )


def _log(facts: Facts) -> Iterator[Finding]:
    daemon = facts.daemon
    if daemon.log and not daemon.log_readable:
        yield Finding(
            "wrong",
            f"{daemon.user} cannot read {daemon.log}",
            f"usermod -a -G adm {daemon.user}, or name another log in log.path; then restart",
        )


def _release(facts: Facts) -> Iterator[Finding]:
    """May the daemon's user release a held message? (Whether it can, policyd.doctor.release.)"""
    user, allowed = facts.daemon.user, facts.parameters.get("authorized_flush_users", "")
    if user == "root":
        return
    if "static:anyone" not in allowed and user not in allowed.replace(",", " ").split():
        yield Finding(
            "wrong",
            f"{user} may not release mail (authorized_flush_users = {allowed})",
            f"add {user} to authorized_flush_users",
        )
    elif "postdrop" not in facts.daemon.groups:
        yield Finding(
            "note",
            f"{user} is not in the group postdrop",
            f"usermod -a -G postdrop {user}: where setgid is off (NoNewPrivileges=yes) held mail "
            "waits for Postfix's own retry otherwise",
        )


def _instance(facts: Facts) -> Iterator[Finding]:
    """Postfix lets nobody but root ask for a queue that its own main.cf does not list."""
    user, directory = facts.daemon.user, facts.directory
    if user == "root" or not directory:
        return
    if "default" in facts.missing:
        yield Finding(
            "wrong",
            f"{user} may not ask for the queue of {directory}: {facts.missing['default'].why}",
            "make a main.cf there that names it in alternate_config_directories",
        )
    elif directory not in facts.directories:
        yield Finding(
            "wrong",
            f"{user} may not ask for the queue of {directory}",
            f"add {directory} to alternate_config_directories in the main.cf of the "
            "machine's own Postfix",
        )


CHECKS = (
    Check("mxheed is well", _healthy, needs=(), each=False),
    Check("what mxheed follows", _follows, needs=("pages",), each=False),
    Check("mxheed paces", _active, needs=("pages",), each=False),
    Check("what receivers say is our mistake", _ours, needs=("pages",), each=False),
    Check("the version that runs", _current, needs=("pages",), each=False),
    Check("the log can be read", _log, needs=("process",), each=False),
    Check("held mail may be released", _release, needs=("postfix", "process")),
    Check("the queue may be asked for", _instance, needs=("postfix", "process")),
)
