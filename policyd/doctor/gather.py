"""Gather what the checks look at, once: Postfix's words, the daemon's, our sockets asked.

Contract: reads only. What is not there or not to be seen becomes a `Gap` in `Facts.missing`.
Failure: none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from policyd.config import Config
from policyd.doctor.installed import units
from policyd.doctor.probes import probe
from policyd.doctor.seen import daemon
from policyd.doctor.values import DaemonSeen, Facts, Gap, Hook, Part, Units
from policyd.postfix import postconf
from policyd.postfix.setup import QUEUE_DIRECTORY, seen_from_postfix
from policyd.web.status import VERSION

__all__ = ["Machine", "gather", "machine", "present"]


class Machine(NamedTuple):
    """What is the same for every Postfix of the machine."""

    daemon: DaemonSeen
    units: Units
    directories: frozenset[str]
    missing: dict[Part, Gap]


def machine(config: Config) -> Machine:
    """mxheed, its units, and what the machine's own main.cf lists."""
    seen, missing = daemon(config)
    try:
        directories = postconf.listed_directories()
    except postconf.PostconfError as wrong:
        directories = frozenset()
        missing["default"] = Gap(str(wrong))
    return Machine(seen, units(), directories, missing)


def gather(config: Config, around: Machine, directory: str = "", own_config: str = "") -> Facts:
    """All facts, for the configuration at hand and the Postfix with that config directory."""
    common = Facts(
        version=(),
        running=None,
        parameters={},
        services=(),
        hooks=(),
        probes=(),
        daemon=around.daemon,
        directory=directory,
        directories=around.directories,
        units=around.units,
        own_version=VERSION,
        own_config=own_config,
        missing=around.missing,
    )
    try:
        return _with_postfix(common, config)
    except postconf.PostconfError as wrong:
        todo = "" if directory else "name its config directory in release.config_directory"
        return replace(common, missing=around.missing | {"postfix": Gap(str(wrong), todo)})


def _with_postfix(facts: Facts, config: Config) -> Facts:
    parameters = postconf.parameters(facts.directory)
    services = tuple(postconf.services(facts.directory))
    queue = parameters.get("queue_directory", QUEUE_DIRECTORY)
    owner = parameters.get("mail_owner", "postfix")
    hooks = tuple(_hooks(config, queue))
    version = parameters.get("mail_version", "0").split("-")[0].split(".")
    return replace(
        facts,
        version=tuple(int(part) for part in version if part.isdecimal()),
        running=postconf.running(facts.directory),
        parameters=parameters,
        services=services,
        hooks=hooks,
        probes=tuple(probe(hook, services, queue, owner) for hook in hooks),
    )


def present(config: Config, directory: str) -> Facts | None:
    """What stands in the configuration of the Postfix that is here, if it can be read."""
    try:
        parameters = postconf.parameters(directory)
        services = tuple(postconf.services(directory))
    except postconf.PostconfError:
        return None
    hooks = tuple(_hooks(config, parameters.get("queue_directory", QUEUE_DIRECTORY)))
    return Facts((), None, parameters, services, hooks, (), DaemonSeen(True), directory)


def _hooks(config: Config, queue: str) -> Iterator[Hook]:
    if socketmap := seen_from_postfix(config.serve.socketmap, queue):
        yield Hook("mx", "smtp_dns_reply_filter", socketmap)
        if config.serve.status.enabled:
            yield Hook("status", "smtp_delivery_status_filter", socketmap)
    if policy := seen_from_postfix(config.serve.policy, queue):
        yield Hook("policy", "smtpd_recipient_restrictions", policy)
