"""Gather what the doctor looks at where Exim is: its own words, a trial of its gate, the daemon.

Contract: reads only; the trial is a question that a daemon always answers `hold`, about a message
and a domain that cannot exist. `seen` returns None where there is no Exim.
Failure: none; what cannot be had is told in `EximSeen`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from policyd.config import Config
from policyd.doctor.exim import EximSeen
from policyd.doctor.values import DaemonSeen
from policyd.exim.config import EximConfig, EximConfigError, expand, look
from policyd.exim.places import places
from policyd.exim.setup import has_gate
from policyd.serve.readsocket import TRIAL, TRIAL_DOMAIN

__all__ = ["seen"]


def seen(config: Config, daemon: DaemonSeen) -> EximSeen | None:
    """What was seen."""
    try:
        there = look(config.release.exim)
    except EximConfigError as wrong:
        broken = EximConfig(config.release.exim or "exim", (0, 0), {}, "", "plain")
        return EximSeen(broken, failed=str(wrong))
    if there is None:
        return None
    socket, alive = places(config.serve, os.environ, os.geteuid())
    expanded, failed = _tried(there)
    logs = [one.name for one in daemon.logs]
    return EximSeen(
        there,
        socket,
        expanded,
        failed,
        _age(alive),
        daemon.healthy,
        daemon.release.exim,
        tuple(_runners()),
        any("exim" in path or "mainlog" in path for path in logs) if logs else None,
        config.pacing.queue_lifetime,
    )


def _tried(there: EximConfig) -> tuple[str | None, str]:
    """What `hold_domains` comes to, and why it does not."""
    value = there.options.get("hold_domains", "")
    if not has_gate(value):
        return None, ""
    trial = value
    for name, instead in (
        ("$message_exim_id", TRIAL),
        ("$sender_address_domain", TRIAL_DOMAIN),
        ("$domain", TRIAL_DOMAIN),
    ):
        trial = trial.replace(name, instead)
    try:
        expanded = expand(there.command, trial)
    except EximConfigError as wrong:
        return None, str(wrong)
    return (expanded if os.geteuid() == 0 or expanded.endswith("*") else None), ""


def _age(path: str) -> float | None:
    try:
        return max(0.0, time.time() - os.stat(path).st_mtime)
    except OSError:
        return None


def _runners() -> list[str]:
    """The command lines of Exim's daemons."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]) in ("exim", "exim4"):
            found.append(" ".join(words)[:200])
    return found
