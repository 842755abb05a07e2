"""What can be seen of mxheed itself: its pages, its process, what its configuration says.

Contract: reads only. The process is the one that listens on the control socket, by the kernel's
word; its groups are those that it really has, not those that the group file promises.
Failure: none; what cannot be seen is a `Gap`.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from policyd.config import Config
from policyd.doctor.apart import Guise, apart
from policyd.doctor.logsread import looked, told
from policyd.doctor.release import ask_release
from policyd.doctor.values import DaemonSeen, Gap, Part
from policyd.errors import ControlError
from policyd.hooks.transportmap import recipient_transport
from policyd.serve.paths import control_places
from policyd.settings.logs import asked
from policyd.settings.zones import zone_named
from policyd.web.asking import Found, find

__all__ = ["daemon"]

_TIMEOUT = 1.0
_LARGEST = 10_000_000  # bytes of a page
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine


def daemon(config: Config) -> tuple[DaemonSeen, dict[Part, Gap]]:
    """What was seen, and what was not."""
    files = (asked(path) for path in config.log.path)
    log = next((one.path for one in files if one.kind == "file" and one.path[:1] == "/"), "")
    seen, gaps = _pages(config)
    logs = seen.logs
    if not logs:
        logs, why = looked(config.log.path, zone_named(config.log.timezone))
        if not logs:
            gaps["logs"] = Gap(why, "name the log in log.path; look while mxheed runs")
    seen = replace(
        seen,
        logs=logs,
        log=log,
        queue_lifetime=config.pacing.queue_lifetime,
        recipients=config.pacing.recipients,
        transports=_transports(config),
    )
    try:
        return _process(seen, config), gaps
    except (ControlError, OSError, KeyError) as wrong:
        words = " ".join(str(wrong).split())
        gap = Gap(f"whose process mxheed is was not seen: {words}", "start it; look as root")
        return seen, gaps | {"process": gap}


def _pages(config: Config) -> tuple[DaemonSeen, dict[Part, Gap]]:
    """/healthz and /api/state of the first address that answers."""
    addresses = [one.removeprefix("inet:") for one in config.serve.http if one[:5] == "inet:"]
    if not addresses:
        return DaemonSeen(True), {"pages": Gap("serve.http names no address with pages")}
    for address in addresses:
        health, state = _page(address, "/healthz"), _page(address, "/api/state")
        if health is None:
            continue
        troubles = {str(name): str(why) for name, why in _mapping(health, "troubles").items()}
        healthy, logs = health.get("status") == "ok", told(health)
        if state is None:
            return DaemonSeen(healthy, troubles, logs=logs), {
                "pages": Gap(f"{address}/api/state is silent")
            }
        source = str(_mapping(state, "log").get("source", ""))
        version, active = str(state.get("version", "")), state.get("active") is not False
        seen = DaemonSeen(healthy, troubles, version, source, active)
        ours, remedy = (str(state.get(name, "")) for name in ("ours", "remedy"))
        return replace(seen, ours=ours, remedy=remedy, logs=logs), {}
    asked = ", ".join(addresses)
    return DaemonSeen(False), {"pages": Gap(f"nobody answers at {asked}", "start mxheed")}


def _page(address: str, path: str) -> Mapping[str, Any] | None:
    """A JSON object, also one that comes with 503."""
    try:
        with _OPENER.open(f"http://{address}{path}", timeout=_TIMEOUT) as answer:
            text = answer.read(_LARGEST)
    except urllib.error.HTTPError as refused:
        with refused:
            text = refused.read(_LARGEST)
    except OSError:
        return None
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        return value if isinstance(value, dict) else None
    return None


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _transports(config: Config) -> Mapping[str, int]:
    """What the map `transport` may answer, with the recipients at once that are believed."""
    named = dict.fromkeys(config.serve.transports.values(), 0)
    return named | {recipient_transport(size): size for size in config.serve.recipient_limits}


def _process(seen: DaemonSeen, config: Config) -> DaemonSeen:
    """User and groups of who listens on the control socket, and whether it can read the log."""
    found = find(control_places(config.serve.control, os.environ, os.geteuid()))
    status = Path(f"/proc/{found.pid}/status").read_text("ascii", "replace")
    if found.pid <= 1:
        raise OSError("systemd listens there in its name")
    gid = int(_line(status, "Gid").split()[0])
    groups = tuple(int(one) for one in _line(status, "Groups").split())
    names = set()
    for number in {gid, *groups}:
        with suppress(KeyError):
            names.add(grp.getgrgid(number).gr_name)
    return replace(
        seen,
        control=found.place.path,
        release=ask_release(found.place),
        user=_name(found.uid),
        groups=frozenset(names),
        log_readable=not seen.log or _readable(seen.log, found, gid, groups),
    )


def _line(status: str, name: str) -> str:
    told = re.search(rf"^{name}:(.*)$", status, re.M)
    return told[1] if told else ""


def _name(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name


def _readable(path: str, found: Found, gid: int, groups: tuple[int, ...]) -> bool:
    """Asked as that process: rights of the folders above and ACLs count, too."""
    if os.geteuid() not in (0, found.uid):
        return True  # not for us to say; the daemon itself tells of a log that it cannot read
    guise = Guise(found.uid, gid, groups) if os.geteuid() == 0 else Guise()
    with suppress(OSError):
        return apart(lambda: "yes" if os.access(path, os.R_OK) else "no", guise) == "yes"
    return False
