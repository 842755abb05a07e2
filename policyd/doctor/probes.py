"""Ask our sockets one question each, where the strictest of Postfix's agents would stand.

Contract: as root by a child that has Postfix's user, folder and chroot. Otherwise TCP is asked as
whoever we are, which is the same; a unix socket is not, which would tell nothing of Postfix.
Failure: none; what went wrong is in the `HookProbe`.
"""

from __future__ import annotations

import os
import pwd
import socket
import time

from policyd.doctor.apart import Guise, apart
from policyd.doctor.values import Hook, HookProbe
from policyd.postfix.postconf import Service

__all__ = ["probe"]

_TIMEOUT = 1.0  # seconds; who answers from memory and takes longer hangs
_POLICY = "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=doctor@mxheed.invalid\n\n"
# what must be answered NOTFOUND by a healthy daemon, whatever is being held
_QUESTIONS = {"mx": "mxheed.invalid. 0 IN MX 10 .", "status": "2.0.0 250 2.0.0 OK"}


def probe(hook: Hook, services: tuple[Service, ...], queue: str, owner: str) -> HookProbe:
    """One question; `owner` is Postfix's user, `queue` its queue directory."""
    agent = "smtpd" if hook.name == "policy" else "smtp"
    root = os.geteuid() == 0
    chroot = root and any(one.command == agent and one.chroot for one in services)
    user = owner if root else _own_name()
    question = "RCPT" if hook.name == "policy" else _QUESTIONS[hook.name]
    if not root and hook.address.startswith("unix:"):
        blind = f"{hook.address} was not asked: only root can ask as Postfix does"
        return HookProbe(hook.name, question, chroot, user, blind=blind)
    begin = time.perf_counter()
    try:
        reply = apart(lambda: _ask(hook), _guise(owner, queue, chroot) if root else Guise())
    except (OSError, KeyError) as wrong:
        return HookProbe(hook.name, question, chroot, user, error=str(wrong))
    return HookProbe(hook.name, question, chroot, user, reply, "", time.perf_counter() - begin)


def _guise(owner: str, queue: str, chroot: bool) -> Guise:
    entry = pwd.getpwnam(owner)
    return Guise(entry.pw_uid, entry.pw_gid, (), queue, queue if chroot else "")


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _connected(kind: str, rest: str) -> socket.socket:
    if kind == "inet":
        host, _, port = rest.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT)
    wire = socket.socket(socket.AF_UNIX)
    wire.settimeout(_TIMEOUT)
    try:
        wire.connect(rest)
    except BaseException:
        wire.close()
        raise
    return wire


def _ask(hook: Hook) -> str:
    kind, _, rest = hook.address.partition(":")
    with _connected(kind, rest) as wire:
        if hook.name == "policy":
            wire.sendall(_POLICY.encode())
            return wire.recv(4096).decode("utf-8", "replace")
        question = f"{hook.name} {_QUESTIONS[hook.name]}"
        wire.sendall(f"{len(question)}:{question},".encode())
        return wire.recv(4096).decode("utf-8", "replace").partition(":")[2].rstrip(",")
