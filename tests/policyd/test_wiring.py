"""What Postfix's own configuration tells the gate: who speaks of its attempts' ends, and what else.

What else: the relays to which it turns behind a next hop that cannot be found.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from policyd.hooks.beyond import Beyond
from policyd.postfix.postconf import Service
from policyd.postfix.wiring import Wiring, wired

GATE, STATUS = "socketmap:unix:mxheed/socketmap:mx", "socketmap:unix:mxheed/socketmap:status"
BOTH = {"smtp_dns_reply_filter": GATE, "smtp_delivery_status_filter": STATUS}
SMTP = Service("smtp", "unix", True, "smtp", {})


def smtp(**options: str) -> Service:
    return Service("own", "unix", True, "smtp", options)


TELLS: list[tuple[str, dict[str, str], list[Service], set[str]]] = [
    ("both in main.cf", BOTH, [SMTP], {""}),
    ("behind other tables", {name: f"regexp:/x, {value}" for name, value in BOTH.items()}, [SMTP],
     {""}),
    ("the gate alone", {"smtp_dns_reply_filter": GATE}, [SMTP], set()),
    ("not asked at all", {}, [SMTP], set()),
    ("over another connection",
     BOTH | {"smtp_delivery_status_filter": STATUS.replace("unix:mxheed/", "unix:other/")},
     [SMTP], set()),
    ("one transport without it", BOTH, [SMTP, smtp(smtp_delivery_status_filter="")], set()),
    ("one without the gate", BOTH,
     [SMTP, smtp(smtp_dns_reply_filter="", smtp_delivery_status_filter="")], {""}),
    ("a pool of its own", BOTH, [SMTP, smtp(smtp_dns_reply_filter=f"{GATE}/two")], {"", "two"}),
    ("a pool without it", {"smtp_delivery_status_filter": ""},
     [smtp(smtp_dns_reply_filter=f"{GATE}/two")], set()),
    ("a server, not a client", BOTH, [Service("smtp", "inet", True, "smtpd", {})], set()),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "services", "pools"), [row[1:] for row in TELLS],
                         ids=[row[0] for row in TELLS])  # fmt: skip
def test_a_pool_tells_if_each_of_its_transports_does(
    parameters: dict[str, str], services: list[Service], pools: set[str]
) -> None:
    """By the status filter, and on the connection on which it asks the gate."""
    assert wired([(parameters, services)]).tells == pools


def test_an_instance_that_does_not_tell_speaks_for_its_pool() -> None:
    """Pools are shared by all instances of the machine."""
    gate_alone = {"smtp_dns_reply_filter": GATE}
    assert wired([(BOTH, [SMTP]), (gate_alone, [SMTP])]).tells == set()


HOPS = {
    "fall.test": b"fall.test.",
    "[Fall.Test]": b"fall.test.",
    "[fall.test]:587": b"fall.test.",
    "fall.test:submission": b"fall.test.",
    "[192.0.2.1]": None,  # is asked for by no name
    "[2001:db8::1]:25": None,
    "[ipv6:2001:db8::1]": None,
    "b\xfccher.test": None,
}


@pytest.mark.parametrize("hop", HOPS)
def test_relays_behind_the_first_next_hop_are_known_by_the_name_they_are_asked_for(
    hop: str,
) -> None:
    """In whatever form a next hop may be written, in main.cf and in a transport's options."""
    name = HOPS[hop]
    expected = set() if name is None else {name}
    for parameters, service in (
        ({"smtp_fallback_relay": hop}, SMTP),
        ({"relayhost": f"[a.test], {hop}"}, SMTP),
        ({}, smtp(smtp_fallback_relay=hop)),
    ):
        assert wired([(BOTH | parameters, [service])]).fallbacks == expected
        assert wired([(parameters, [service])]).fallbacks == set()  # it asks no gate


MASTER = "smtp unix - - y - - smtp\n"


@pytest.fixture
def postfix(tmp_path: Path) -> Path:
    """A config directory."""
    (tmp_path / "master.cf").write_text(MASTER)
    (tmp_path / "main.cf").write_text(
        f"compatibility_level = 3.6\nsmtp_dns_reply_filter = {GATE}\n"
        f"smtp_delivery_status_filter = {STATUS}\nsmtp_fallback_relay = $relayhost\n"
        "relayhost = [fall.test]\n"
    )
    return tmp_path


@pytest.mark.needs("postconf")
def test_it_is_read_from_postfix_itself_and_forgotten_when_it_cannot_be(postfix: Path) -> None:
    """With its own expansion of names; what was known once is not believed for ever."""
    told: list[Beyond] = []
    wiring = Wiring((str(postfix),), told.append)
    wiring.read()
    assert told.pop() == Beyond(frozenset({""}), frozenset({b"fall.test."}))
    (postfix / "master.cf").write_text(MASTER + "    -o smtp_delivery_status_filter=\n")
    wiring.read()
    assert told.pop() == Beyond(frozenset(), frozenset({b"fall.test."}))
    shutil.rmtree(postfix)
    wiring.read()
    assert told.pop() == Beyond()
