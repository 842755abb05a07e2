"""Nothing bounces, loops or goes elsewhere by our doing: the same Postfix without us and with us.

The expectations are what the same Postfix does with the same names when mxheed is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.lab import Lab
from tests.lab.postfix import DEFAULT_FRAGMENTS, FEWER, FEWER_FRAGMENTS
from tests.live.next_hops import (
    DOMAINS,
    FALL,
    POOL,
    ROUTES,
    SENDERS,
    TABLE,
    fates,
    furnish,
    hold,
    know_pools,
    let_go,
    listed,
)

pytestmark = pytest.mark.live

PORT = "127.0.0.1:9826"
CONFIG = {  # one mxheed for all wirings
    "serve": {
        "socketmap": ["unix:/var/spool/postfix/mxheed/socketmap", f"inet:{PORT}"],
        "recipient_limits": list(FEWER),
        "transports": {"google": "mx-google"},
        "submission": {"suspended": "dunno"},
    },
    "log": {"pools": {f"postfix/{POOL}/smtp": POOL}},
}
MAILS = [f"u@{domain}" for domain in DOMAINS] + ["alice@lab.test", "nobody@lab.test"]


UNIX, INET = "unix:mxheed/socketmap", f"inet:{PORT}"


class Wiring(NamedTuple):
    """One documented way to wire the gate."""

    fragments: tuple[str, ...]
    extra: str = ""  # in main.cf
    address: str = UNIX
    fall: str = ""  # for the transport with a fallback relay
    transport: str = "smtp"  # by which its mail goes
    but: tuple[str, ...] = ()  # what is known not to be held there


WIRINGS = {
    "main.cf": Wiring(DEFAULT_FRAGMENTS),
    # nobody tells where an attempt ends: a relay that no parameter names is taken for the next
    # recipient's
    "gate alone": Wiring(("gate.main.cf",), but=("table-second",)),
    "inet": Wiring(("gate.main.cf", "status.main.cf"), address=INET),
    "resolver": Wiring((*DEFAULT_FRAGMENTS, *FEWER_FRAGMENTS, "transport.master.cf")),
    "pool": Wiring(
        ("pools.master.cf",),
        f"default_transport = {POOL}\n",
        fall=f"    -o smtp_dns_reply_filter=socketmap:{UNIX}:mx/{POOL}\n",
        transport=POOL,
        but=("table-second",),
    ),
}


def wire(lab: Lab, wiring: Wiring, extra: str = "") -> None:
    """Configure Postfix so and start it anew, with an empty queue."""
    lab.postfix.configure(*wiring.fragments)
    senders = SENDERS.format(transport=wiring.transport)
    lab.postfix.set(ROUTES + senders + wiring.extra + extra)
    lab.postfix.add_services(FALL + wiring.fall)
    etc = lab.directory / "postfix"
    (etc / "table").write_text(TABLE)
    for path in (etc / "main.cf", etc / "master.cf"):
        text = path.read_text().replace(f"socketmap:{UNIX}", f"socketmap:{wiring.address}")
        ours, table = "-o transport_maps=", "texthash:/etc/postfix/table,"
        path.write_text(text.replace(f"{ours}socketmap", f"{ours}{table}socketmap"))
    lab.check("postsuper", "-d", "ALL")
    lab.check("truncate", "-s", "0", "/var/log/mail.log")
    lab.postfix.restart()


@pytest.fixture(scope="module")
def world(_debian_lab: Lab) -> Iterator[Lab]:
    """The lab with all names published and mxheed running; Postfix is wired by each test."""
    lab = _debian_lab
    furnish(lab)
    lab.mxheed.start(CONFIG)
    know_pools(lab)
    yield lab
    lab.configure()
    lab.reset()
    lab.postfix.restart()


@pytest.fixture(scope="module")
def stock(world: Lab) -> dict[str, str]:
    """What becomes of the mail without mxheed."""
    wire(world, Wiring(()))
    told = fates(world, MAILS)
    assert len(set(told.values())) >= 8, told  # the cases differ
    return told


@pytest.mark.parametrize("name", WIRINGS)
def test_mail_waits_or_goes_where_it_goes_without_us(
    world: Lab, stock: dict[str, str], name: str
) -> None:
    """While a receiver is held and after it was let go, in each documented wiring."""
    wiring = WIRINGS[name]
    stock = {mail: fate for mail, fate in stock.items() if mail[2:] not in wiring.but}
    wire(world, wiring)
    assert world.mxheed.cli("reload").code == 0  # it reads how Postfix is wired, too
    hold(world)
    told = fates(world, stock)
    for recipient, usual in stock.items():
        waits = "held.test" in usual
        assert told[recipient] == ("deferred" if waits else usual), recipient
    let_go(world)
    world.until(lambda: listed(world) == stock, f"all go their usual way\n{stock}\n", 30)


HARMFUL = """\
smtp_fallback_relay = [b.free.test]
ignore_mx_lookup_error = yes
smtp_host_lookup = native
smtp_dns_reply_filter = regexp:/etc/postfix/theirs
smtpd_client_restrictions = reject_unverified_sender
address_verify_poll_delay = 1
"""


def added(lab: Lab) -> list[str]:
    """Do as `mxheed setup postfix` says; its sections."""
    ran = lab.mxheed.cli("setup", "postfix", "--config", "/run/mxheed.yaml", user="root")
    assert ran.code == 0, ran.err
    sections = [part.partition("\n") for part in ran.out.split("### to be ")[1:]]
    for what, _, text in sections:
        text = text.partition("### then")[0]
        if what == "added to main.cf":
            lab.postfix.set(text)
        elif what == "added to master.cf":
            lab.postfix.add_services(text)
        else:
            lab.check("sh", "-e", text=text)
    return [what for what, _, _ in sections]


@pytest.fixture
def mended(world: Lab) -> Iterator[Lab]:
    """A Postfix with settings that would let held mail go elsewhere, after our setup."""
    wire(world, Wiring(()), HARMFUL)
    (world.directory / "postfix" / "theirs").write_text("/^c\\.free\\.test\\. / IGNORE\n")
    # without its transport map, whose questions nobody would answer in time either
    world.mxheed.configure({})
    assert added(world) == ["added to main.cf", "added to master.cf", "run"]
    world.postfix.restart()
    yield world
    world.mxheed.stop()
    world.mxheed.start(CONFIG)
    know_pools(world)


def test_what_setup_prints_makes_a_harmful_postfix_safe(mended: Lab) -> None:
    """No fallback for what is held, no bounce while nobody answers; incoming mail is untouched."""
    lab = mended
    ran = lab.mxheed.cli("doctor", "--config", "/run/mxheed.yaml", "--json", user="root")
    assert '"level": "wrong"' not in ran.out, ran.out
    filters = lab.check("postconf", "-h", "smtp_dns_reply_filter").strip()
    assert filters == f"regexp:/etc/postfix/theirs, socketmap:{UNIX}:mx"
    hold(lab)
    waits = fates(lab, ["w@foreign-backup", "w@held.test"])
    assert set(waits.values()) == {"deferred"}
    assert any("ignoring DNS RR: b.free.test." in line for line in lab.postfix.log())
    assert lab.submit(["alice@lab.test"], sender="somebody@plain") == {"250": 1}
    lab.until(lambda: "alice@lab.test" in listed(lab), "incoming mail arrives")
    lab.mxheed.stop()
    away = fates(lab, ["away@free", "away@plain"])
    assert set(away.values()) == {"deferred"}
