"""Gather what `policyd.doctor` looks at: Postfix's words, and our sockets asked as Postfix asks.

Contract: reads only. As root, questions are asked by a child process that takes on Postfix's user,
directory and chroot; otherwise as whoever runs it. Failure: `MxheedError` when there is no Postfix.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from policyd.config import Config
from policyd.doctor_values import Daemon, Facts, Hook, Probe, Service
from policyd.errors import MxheedError
from policyd.serve.transportmap import recipient_transport
from policyd.setup import seen_from_postfix

__all__ = ["gather"]

_TIMEOUT = 1.0  # seconds; who answers from memory and takes longer hangs
_POLICY = "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=doctor@mxheed.invalid\n\n"
# where the machine's own main.cf lists the config directories that others may name
_DIRECTORIES = ("config_directory", "alternate_config_directories", "multi_instance_directories")
# what must be answered NOTFOUND by a healthy daemon, whatever is being held
_QUESTIONS = {"mx": "mxheed.invalid. 0 IN MX 10 .", "status": "2.0.0 250 2.0.0 OK"}


def gather(config: Config, directory: str = "") -> Facts:
    """All facts, for the configuration at hand and the Postfix with that config directory."""
    instance = ("-c", directory) if directory else ()
    parameters = _parameters(*instance, "-x")
    queue = parameters["queue_directory"]
    services = tuple(_services(instance))
    hooks = tuple(_hooks(config, queue))
    owner = parameters["mail_owner"]
    return Facts(
        version=tuple(int(part) for part in parameters["mail_version"].split("-")[0].split(".")),
        running=_succeeds("postfix", *instance, "status"),
        parameters=parameters,
        services=services,
        hooks=hooks,
        probes=tuple(_probe(hook, services, queue, owner) for hook in hooks),
        daemon=_daemon(config),
        directory=directory,
        directories=frozenset(" ".join(_parameters("-x", *_DIRECTORIES).values()).split()),
    )


def _parameters(*arguments: str) -> dict[str, str]:
    lines = (line.partition("=") for line in _postconf(*arguments).splitlines())
    return {name.rstrip(): value.lstrip() for name, _, value in lines}


def _hooks(config: Config, queue: str) -> Iterator[Hook]:
    if socketmap := seen_from_postfix(config.serve.socketmap, queue):
        yield Hook("mx", "smtp_dns_reply_filter", socketmap)
        if config.serve.status.enabled:
            yield Hook("status", "smtp_delivery_status_filter", socketmap)
    if policy := seen_from_postfix(config.serve.policy, queue):
        yield Hook("policy", "smtpd_recipient_restrictions", policy)


def _services(instance: tuple[str, ...]) -> Iterator[Service]:
    options: dict[str, dict[str, str]] = {}
    for line in _postconf(*instance, "-P").splitlines():
        path, _, value = line.partition(" = ")
        service, _, parameter = path.removesuffix(" =").rpartition("/")
        options.setdefault(service, {})[parameter] = value
    for line in _postconf(*instance, "-M").splitlines():
        name, kind, _private, _unprivileged, chroot, _wakeup, _limit, command, *_ = line.split()
        yield Service(name, kind, chroot == "y", command, options.get(f"{name}/{kind}", {}))


def _probe(hook: Hook, services: tuple[Service, ...], queue: str, owner: str) -> Probe:
    """Ask one question where the strictest of Postfix's agents would stand."""
    agent = "smtpd" if hook.name == "policy" else "smtp"
    root = os.geteuid() == 0
    chroot = root and any(one.command == agent and one.chroot for one in services)
    user = owner if root else pwd.getpwuid(os.geteuid()).pw_name
    question = "RCPT" if hook.name == "policy" else _QUESTIONS[hook.name]
    begin = time.perf_counter()
    try:
        reply = _apart(lambda: _ask(hook), queue, chroot, owner if root else None)
    except OSError as wrong:
        return Probe(hook.name, question, chroot, user, error=str(wrong.strerror or wrong))
    return Probe(hook.name, question, chroot, user, reply, "", time.perf_counter() - begin)


def _ask(hook: Hook) -> str:
    kind, _, rest = hook.address.partition(":")
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as wire:
        wire.settimeout(_TIMEOUT)
        host, _, port = rest.rpartition(":")
        wire.connect(rest if kind == "unix" else (host, int(port)))
        if hook.name == "policy":
            wire.sendall(_POLICY.encode())
            return wire.recv(4096).decode("utf-8", "replace")
        question = f"{hook.name} {_QUESTIONS[hook.name]}"
        wire.sendall(f"{len(question)}:{question},".encode())
        return wire.recv(4096).decode("utf-8", "replace").partition(":")[2].rstrip(",")


def _apart(ask: Callable[[], str], queue: str, chroot: bool, owner: str | None) -> str:
    """Run `ask` in a child that has become Postfix's agent; its OSError comes back as ours."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # never returns into the program
        try:
            entry = pwd.getpwnam(owner) if owner else None
            os.chdir(queue)
            if chroot:
                os.chroot(queue)
            if entry:
                os.setgroups([])
                os.setgid(entry.pw_gid)
                os.setuid(entry.pw_uid)
            said = b"+" + ask().encode()
        except OSError as wrong:
            said = b"-" + str(wrong.strerror or wrong).encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said.startswith(b"+"):
        raise OSError(said[1:].decode() or "no answer")
    return said[1:].decode()


def _daemon(config: Config) -> Daemon:
    user = _owner(config)
    log = config.log.path if config.log.path.startswith("/") else ""
    groups = _groups(user) if user else frozenset()
    return Daemon(
        healthy=any(_healthy(address) for address in config.serve.http),
        user=user,
        groups=groups,
        log=log,
        log_readable=not log or not user or _readable(Path(log), user, groups),
        queue_lifetime=config.pacing.queue_lifetime,
        recipients=config.pacing.recipients,
        transports=_transports(config),
    )


def _transports(config: Config) -> Mapping[str, int]:
    """What the map `transport` may answer, with the recipients at once that are believed."""
    named = dict.fromkeys(config.serve.transports.values(), 0)
    return named | {recipient_transport(size): size for size in config.serve.recipient_limits}


def _owner(config: Config) -> str:
    """Who runs the daemon: the owner of a unix socket; "" if all is TCP."""
    for address in (*config.serve.socketmap, *config.serve.policy, config.serve.control):
        path = Path(address.removeprefix("unix:"))
        if address and path.is_absolute() and path.is_socket():
            return path.owner()
    return ""


def _groups(user: str) -> frozenset[str]:
    own = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    return frozenset({own, *(one.gr_name for one in grp.getgrall() if user in one.gr_mem)})


def _readable(path: Path, user: str, groups: frozenset[str]) -> bool:
    if user == "root":
        return True
    try:
        mode, owner, group = path.stat().st_mode, path.owner(), path.group()
    except (OSError, KeyError):
        return False
    if owner == user:
        return bool(mode & 0o400)
    return bool(mode & (0o040 if group in groups else 0o004))


def _healthy(address: str) -> bool:
    if not address.startswith("inet:"):
        return True
    try:
        url = f"http://{address.removeprefix('inet:')}/healthz"
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _postconf(*arguments: str) -> str:
    environment: Mapping[str, str] = {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    try:
        ran = subprocess.run(
            ["postconf", *arguments], capture_output=True, text=True, env=environment, check=True
        )
    except FileNotFoundError:
        raise MxheedError("there is no postconf: is Postfix installed here?") from None
    except subprocess.CalledProcessError as wrong:
        raise MxheedError(f"postconf {' '.join(arguments)}: {wrong.stderr.strip()}") from wrong
    return ran.stdout


def _succeeds(*command: str) -> bool:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return subprocess.run(command, capture_output=True, env={"PATH": path}).returncode == 0
