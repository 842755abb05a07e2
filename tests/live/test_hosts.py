"""Receivers of several hosts, one of them in trouble: mail goes by the others, and nothing bounces.

Each test lets the first messages find the trouble, and looks at what becomes of the next ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab, ReceiverView
from tests.lab.postfix import DEFAULT_FRAGMENTS

pytestmark = pytest.mark.live

OPEN = {"serve": {"submission": {"suspended": "dunno"}}}
DOMAINS = [f"d{number}.pair.test" for number in range(10)]
TROUBLED, ADDRESS, SIX = "mx2.pair.test", "127.0.2.2", "fd00::7"
NO_PTR = (
    "550-5.7.1 Our system has detected that this message does not meet\r\n"
    "550 5.7.1 IPv6 sending guidelines regarding PTR records and authentication"
)


def pair(lab: Lab, preference: int = 10, **pacing: Any) -> ReceiverView:
    """Ten domains behind two hosts; nobody listens at the second one, which has this preference."""
    first = lab.receiver("pair", domains=DOMAINS, mx="mx1.pair.test")
    lab.publish(
        f"host-record={TROUBLED},{ADDRESS}",
        *(f"mx-host={domain},{TROUBLED},{preference}" for domain in DOMAINS),
    )
    lab.mxheed.start(OPEN | {"pacing": pacing})
    return first


def send(lab: Lab, name: str, count: int = 30) -> list[str]:
    """Submit so many messages."""
    mail = [f"{name}{number}@{DOMAINS[number % 10]}" for number in range(count)]
    assert lab.submit(mail) == {"250": count}
    return mail


def arrived(lab: Lab, mail: list[str], *hosts: ReceiverView, seconds: float = 20.0) -> None:
    """All of it is taken, once; nothing has bounced."""
    lab.until(lambda: sum(len(set(h.taken()) & set(mail)) for h in hosts) == len(mail),
              "all is taken", seconds)  # fmt: skip
    taken = [one for host in hosts for one in host.taken() if one in mail]
    assert sorted(taken) == sorted(mail)
    assert lab.postfix.deliveries("bounced") == []


def connects(lab: Lab, address: str = ADDRESS) -> int:
    """How often Postfix could not connect there."""
    return sum(f"connect to {TROUBLED}[{address}]:25: Conn" in line for line in lab.postfix.log())


def test_a_dead_host_is_left_out_and_nobody_waits_for_it(lab: Lab) -> None:
    """Once it is known, no message is tried there; the receiver was never slowed."""
    first = pair(lab)
    arrived(lab, send(lab, "a"), first)
    lab.until(lambda: lab.mxheed.total("mxheed_hosts_aside") == 1, "mxheed knows of it")
    before = connects(lab)
    arrived(lab, send(lab, "b"), first)
    assert connects(lab) == before
    assert lab.mxheed.total("mxheed_host_skips_total") >= 10
    (lane,) = lab.mxheed.throttle()["lanes"]
    assert (lane["state"], lane["hosts"][0]["address"]) == ("free", ADDRESS)


def test_a_better_host_that_is_dead_is_asked_as_ever(lab: Lab) -> None:
    """Nothing goes to a worse preference by our doing: Postfix finds out by itself, each time."""
    first = pair(lab, preference=5)
    arrived(lab, send(lab, "a"), first)
    lab.until(lambda: lab.mxheed.total("mxheed_hosts_aside") == 1, "mxheed knows of it")
    before = connects(lab)
    arrived(lab, send(lab, "b"), first)
    assert connects(lab) > before
    assert lab.mxheed.total("mxheed_host_skips_total") == 0


def test_a_host_that_is_alive_again_is_used_again(lab: Lab) -> None:
    """One message tries it when its time has come."""
    soon = {"act": "pause", "count": 4, "ratio": 0.8, "pause": 2.0}
    first = pair(lab, reactions={"net.*": soon})
    arrived(lab, send(lab, "a"), first)
    lab.until(lambda: lab.mxheed.total("mxheed_hosts_aside") == 1, "mxheed knows of it")
    second = lab.receiver("second", domains=[], mx="mx3.pair.test", address=ADDRESS)
    numbers = itertools.count()

    def taken_there() -> bool:
        arrived(lab, send(lab, f"b{next(numbers)}x", 2), first, second)
        return bool(second.taken())

    lab.until(taken_there, "a message tries it", 40)
    lab.until(lambda: lab.mxheed.total("mxheed_hosts_aside") == 0, "it is like any other")


def test_a_host_that_greets_late_is_left_out(lab: Lab) -> None:
    """It lets Postfix wait, while the other one takes mail at once."""
    first = pair(lab)
    late = lab.receiver("late", domains=[], mx="mx3.pair.test", address=ADDRESS, greeting=8.0)
    mail = send(lab, "a")

    def known() -> bool:
        lanes = lab.mxheed.throttle()["lanes"]
        return any(host["why"] == "slow" for lane in lanes for host in lane["hosts"])

    lab.until(known, "mxheed knows of it")
    before = late.connections()
    arrived(lab, send(lab, "b"), first)
    assert late.connections() == before
    arrived(lab, mail, first, late, seconds=30)


def test_a_host_that_is_busy_does_not_stop_the_receiver(lab: Lab) -> None:
    """It turns Postfix away at its greeting; the other one takes the message."""
    first = pair(lab)
    busy = lab.receiver(
        "busy", "fixed", domains=[], mx="mx3.pair.test", address=ADDRESS, stage="connect",
        reply="421 4.3.2 System busy, please try again later",
    )  # fmt: skip
    for name in ("a", "b"):
        arrived(lab, send(lab, name), first)
    (lane,) = lab.mxheed.throttle()["lanes"]
    assert lane["state"] == "free"
    assert busy.connections() < 30


@pytest.fixture
def dual(lab: Lab) -> Iterator[Lab]:
    """A Postfix that speaks IPv6, too."""
    lab.run("ip", "-6", "addr", "add", f"{SIX}/128", "dev", "lo", "nodad")
    lab.postfix.configure(*DEFAULT_FRAGMENTS, extra="inet_protocols = all\n")
    lab.postfix.restart()
    yield lab
    lab.configure()
    lab.postfix.restart()


def test_a_block_of_our_ipv6_address_bounces_nothing(dual: Lab) -> None:
    """What was refused by IPv6 goes by IPv4, and so does all that follows."""
    lab = dual
    four = lab.receiver("pair", domains=DOMAINS, mx="mx1.pair.test")
    six = lab.receiver(
        "six", "fixed", domains=[], mx="six.pair.test", address=SIX, stage="data", reply=NO_PTR
    )
    lab.publish(f"host-record=mx1.pair.test,{SIX}")
    lab.mxheed.start(OPEN)
    for name in ("a", "b", "c"):
        arrived(lab, send(lab, name), four)
    assert 1 <= len(six.refused()) < 30


def test_a_host_without_an_address_costs_no_message(lab: Lab) -> None:
    """We left the dead host out, and the other one has lost its address: the mail waits, and goes
    when there is a host again.
    """
    first = pair(lab)
    arrived(lab, send(lab, "a"), first)
    lab.until(lambda: lab.mxheed.total("mxheed_hosts_aside") == 1, "mxheed knows of it")
    lab.close(first)
    lab.publish(
        f"host-record={TROUBLED},{ADDRESS}",
        *(f"mx-host={domain},{host},10" for domain in DOMAINS
          for host in ("mx1.pair.test", TROUBLED)),
    )  # fmt: skip
    second = lab.receiver("second", domains=[], mx="mx3.pair.test", address=ADDRESS)
    arrived(lab, send(lab, "b", 10), second, seconds=60)
