"""Start the programs that mxheed is measured beside, each as its documentation says.

Contract: a peer is a command that serves a TCP port; `peers` gives those that this machine has.
postfwd and policyd-rate-limit come from Debian; postfix-mta-sts-resolver
from PyPI, in a virtual environment below the working folder.
Failure: a peer that cannot be installed is left out with a line on stderr.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ServePeer", "peers"]

_RESOLVER = """
import asyncio, sys, time, uvloop
from postfix_mta_sts_resolver import utils
from postfix_mta_sts_resolver.base_cache import CacheEntry
from postfix_mta_sts_resolver.internal_cache import InternalLRUCache
from postfix_mta_sts_resolver.responder import STSSocketmapResponder

async def main(port, stamp):
    cfg = utils.populate_cfg_defaults({"host": "127.0.0.1", "port": port, "cache_grace": 1e6})
    cache = InternalLRUCache(10000)
    for number in range(1000):  # what it would have fetched: a policy for each domain
        policy = {"version": "STSv1", "mode": "enforce", "max_age": 1000000, "mx": ["mx.test"]}
        await cache.set(f"d{number}.test", CacheEntry(stamp, "1", policy))
    responder = STSSocketmapResponder(cfg, asyncio.get_running_loop(), cache)
    await responder.start()
    await asyncio.sleep(3600)

uvloop.run(main(int(sys.argv[1]), time.time()))
"""


class ServePeer(NamedTuple):
    """One program to measure."""

    name: str
    protocol: str  # "s" socketmap, "p" policy
    command: list[str]
    key: str = ""  # what a socketmap question of this program looks like


def peers(folder: Path, port: int) -> Iterator[ServePeer]:
    """Those that can run here, all set to serve this port."""
    for make in (_postfwd, _rate_limit, _resolver):
        try:
            yield make(folder, port)
        except (OSError, subprocess.CalledProcessError) as missing:
            print(f"{make.__name__[1:]} is left out: {missing}", file=sys.stderr)


def _program(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise OSError(f"{name} is not installed")
    return path


def _postfwd(folder: Path, port: int) -> ServePeer:
    rules = folder / "postfwd.cf"
    rules.write_text(
        "id=RATE; protocol_state==RCPT; recipient=~.; "
        "action=rate(recipient_domain/100000000/3600/450 4.7.1 too much mail)\n"
    )
    # it only serves as a daemon; the namespace ends it with its parent (and hides its CPU time)
    words = (
        f"{_program('postfwd1')} -d -f {rules} -i 127.0.0.1 -p {port} -u root -g root -n "
        f"--norulelog --pidfile {folder}/postfwd.pid; sleep 3600"
    )
    command = ["unshare", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", words]
    return ServePeer("postfwd1 (Debian), one rate rule", "p", command)


def _rate_limit(folder: Path, port: int) -> ServePeer:
    settings = folder / "policyd-rate-limit.yaml"
    settings.write_text(
        f"debug: False\nuser: root\ngroup: root\npidfile: {folder}/rate.pid\n"
        f"sqlite_config: {{database: {folder}/rate.sqlite3}}\nbackend: 0\n"
        f'SOCKET: ["127.0.0.1", {port}]\nlimits: [[1000000000, 60]]\nlimits_by_id: {{}}\n'
        "limit_by_sasl: True\nlimit_by_sender: True\nlimit_by_ip: False\n"
        'limited_networks: []\nsuccess_action: "dunno"\nfail_action: "defer_if_permit"\n'
        'db_error_action: "dunno"\nreport: False\nreport_only_if_needed: True\n'
        "delay_to_close: 300\ncount_mode: 0\nsmtp_server: localhost\n"
    )
    program = _program("policyd-rate-limit")
    return ServePeer("policyd-rate-limit (Debian), SQLite", "p", [program, "-f", str(settings)])


def _resolver(folder: Path, port: int) -> ServePeer:
    place = folder / "resolver"
    if not place.exists():
        venv.create(place, with_pip=True)
        subprocess.run(
            [place / "bin/pip", "-q", "install", "postfix-mta-sts-resolver==1.5.1", "uvloop"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    script = folder / "resolver.py"
    script.write_text(_RESOLVER)
    command = [str(place / "bin/python"), str(script), str(port)]
    return ServePeer(
        "postfix-mta-sts-resolver 1.5.1 (PyPI), cached", "s", command, "QUERY d{}.test"
    )
