"""Where mail goes: a set of domains as they are found in the wild, and what became of their mail.

Contract: `furnish` opens the receivers and publishes the names; `fates` submits one message for
each recipient and tells for each where it went ("sent by a.held.test") or what else became of it.
Digits are taken out of host names, so that hosts of equal preference are alike.
Failure: `LabError` when a recipient has no fate after a while.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from tests.lab import Lab, ReceiverView

__all__ = [
    "BY_SENDER",
    "DOMAINS",
    "FALL",
    "HELD",
    "POOL",
    "ROUTES",
    "SENDERS",
    "TABLE",
    "fates",
    "furnish",
    "hold",
    "know_pools",
    "let_go",
    "listed",
]

HELD = "mx:held.test"  # the receiver that is suspended in these tests
POOL = "pool2"
SIX, BIND, SHUT = "fd00::7", "192.0.2.2", "127.0.3.1"

# domain → its exchangers with their preferences. All hosts of held.test are one receiver; "us" is
# this machine, gone.test is nowhere, alias.… is an alias of a host of that receiver.
DOMAINS: dict[str, dict[str, int]] = {
    "plain": {"a.held.test": 10},
    "foreign-backup": {"a.held.test": 10, "b.free.test": 20},
    "we-are-backup": {"a.held.test": 10, "lab.test": 20},
    "backups-of-ours": {"a.held.test": 10, "lab.test": 20, "b.free.test": 30},
    "several": {"a1.held.test": 10, "a2.held.test": 10, "b.held.test": 20, "c.free.test": 30},
    "aliases": {"alias.held.test": 10, "alias.free.test": 20},
    "six": {"six.held.test": 10, "b.free.test": 20},
    "both": {"both.held.test": 10, "b.free.test": 20},
    "backup-gone": {"a.held.test": 10, "b.gone.test": 20},
    "best-gone": {"a.gone.test": 10, "b.held.test": 20, "c.free.test": 30},
    "we-are-last": {"a.gone.test": 10, "b.held.test": 20, "lab.test": 30},
    "free": {"a.free.test": 10, "b.held.test": 20},
    "free-we-are-backup": {"a.free.test": 10, "lab.test": 20},
    "loop": {"lab.test": 10, "a.free.test": 20},
    "null-mx": {"": 0},  # takes no mail at all
    # more hosts than Postfix tries (smtp_mx_address_limit)
    "many-held": {f"a{n}.held.test": 10 * n for n in (1, 2, 3, 4, 5, 6)} | {"b.free.test": 70},
    "many-shut": {f"a{n}.shut.test": 10 * n for n in (1, 2, 3, 4, 5)} | {"a.held.test": 60},
    "many-free": {f"c{n}.free.test": 10 * n for n in (1, 2, 3, 4, 5, 6)} | {"b.held.test": 70},
    "held.test": {},  # no exchanger: the domain's own address
    "nobody.gone.test": {},
    "table": {},  # these go by the transport table
    "table-mx": {},
    "table-second": {},
    "table-fallback": {},
    "by-sender": {"c.free.test": 10},  # and these by their sender
    "by-sender-mx": {"c.free.test": 10},
    "by-sender-transport": {"c.free.test": 10},
}
TABLE = (
    "table :[a.held.test]\n"
    "table-mx :foreign-backup\n"
    "table-second :[a.held.test],[b.free.test]\n"  # as a relayhost may be written
    "table-fallback fall:plain\n"
)
ROUTES = "inet_protocols = all\ntransport_maps = texthash:/etc/postfix/table\n"


def _knows_srv() -> bool:
    """Postfix 3.8 and later look for SRV records where they are told to."""
    try:
        run = subprocess.run(["postconf", "-d", "use_srv_lookup"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return run.stdout.startswith(b"use_srv_lookup")


if _knows_srv():
    DOMAINS["by-srv"] = {}
    TABLE += "by-srv :srv.test:submission\n"
    ROUTES += "use_srv_lookup = submission\n"
# what goes by its sender, who is called like the domain; in main.cf
BY_SENDER = ("by-sender", "by-sender-mx", "by-sender-transport")
SENDERS = """\
sender_dependent_relayhost_maps = inline:{{
  {{ by-sender@lab.test = [a.held.test] }} {{ by-sender-mx@lab.test = foreign-backup }} }}
sender_dependent_default_transport_maps = inline:{{
  {{ by-sender-transport@lab.test = {transport}:[a.held.test] }} }}
"""
FALL = "fall unix - - y - - smtp\n    -o smtp_fallback_relay=[b.free.test]\n"

_FATE = re.compile(r" to=<([^>]+)>, .*?relay=([^,\[]+).*?, status=(\w+) ")


def furnish(lab: Lab) -> dict[str, ReceiverView]:
    """The receivers, the names, the addresses."""
    lab.run("ip", "-6", "addr", "add", f"{SIX}/128", "dev", "lo", "nodad")
    lab.run("ip", "addr", "add", f"{BIND}/32", "dev", "lo")
    views = {
        "held": lab.receiver("held", domains=[], mx="a.held.test"),
        "held-six": lab.receiver("held-six", domains=[], mx="six.held.test", address=SIX),
        "free": lab.receiver("free", domains=[], mx="a.free.test"),
    }
    held, free = views["held"].address, views["free"].address
    records = [f"host-record=held.test,{held}", f"host-record=both.held.test,{held},{SIX}"]
    records += [f"host-record={name}.held.test,{held}" for name in ("b", "real")]
    records += [f"host-record={name}.free.test,{free}" for name in ("b", "c", "real")]
    for number in range(1, 7):
        records += [f"host-record=a{number}.held.test,{held}"]
        records += [f"host-record=c{number}.free.test,{free}"]
        records += [f"host-record=a{number}.shut.test,{SHUT}"]  # nobody listens there
    for host, priority in (("a.held.test", 10), ("b.free.test", 20)):
        records += [f"srv-host=_submission._tcp.srv.test,{host},25,{priority},0"]
    records += [f"cname=alias.{name}.test,real.{name}.test" for name in ("held", "free")]
    records += [
        f"mx-host={domain},{host},{preference}"
        for domain, hosts in DOMAINS.items()
        for host, preference in hosts.items()
    ]
    lab.publish(*records)
    return views


def know_pools(lab: Lab) -> None:
    """Let there be a lane of the receiver for each pool."""
    for pool in ("", POOL):
        _throttle(lab, "pin", HELD, "free", "--for", "1s", "--pool", pool)


def hold(lab: Lab) -> None:
    """Suspend the receiver, for all pools that are known."""
    _throttle(lab, "pin", HELD, "suspended", "--for", "1h")


def let_go(lab: Lab) -> None:
    """Free again."""
    _throttle(lab, "cancel", HELD)


def _throttle(lab: Lab, *arguments: str) -> None:
    ran = lab.mxheed.cli("throttle", *arguments)
    assert ran.code == 0, ran.err


def fates(lab: Lab, recipients: Iterable[str]) -> dict[str, str]:
    """Submit a message to each; what became of each at its first attempt."""
    wanted = list(recipients)
    by_sender = [one for one in wanted if one.partition("@")[2] in BY_SENDER]
    replies = lab.submit([one for one in wanted if one not in by_sender])
    for one in by_sender:
        replies += lab.submit([one], sender=f"{one.partition('@')[2]}@lab.test")
    assert replies == {"250": len(wanted)}, replies
    lab.until(lambda: listed(lab).keys() >= set(wanted), "all have been tried")
    told = listed(lab)
    return {recipient: told[recipient] for recipient in wanted}


def listed(lab: Lab) -> dict[str, str]:
    """The last fate of each recipient in the log."""
    found = {}
    for line in lab.postfix.log():
        if (fate := _FATE.search(line)) is not None:
            host = re.sub(r"\d", "", fate[2])
            found[fate[1]] = f"sent by {host}" if fate[3] == "sent" else fate[3]
    return found
