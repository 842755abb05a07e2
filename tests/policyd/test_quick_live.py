"""The daemon's fast path for accepted mail leaves the counters and the pacing as the long way."""

from __future__ import annotations

import time
from collections import deque
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policyd.core
from policyd import config as configuration
from policyd.core import Core, Prepared, prepare
from policyd.serve.session import Session
from tests.logparse.postfix_lines import record, said
from tests.policyd.clocks import still

START = 1_795_500_000.0
DOMAINS = ("one.example", "Two.example")
HOSTS = ("mx.big.example", "mx.small.example")
REPLIES = (
    ("2.0.0", "sent", "250 2.0.0 Ok: queued as 9C1B2"),
    ("2.0.0", "sent", "250 2.0.0 Ok: queued as 9C1B2"),
    ("2.1.5", "sent", "250-2.0.0 two 250 lines"),
    ("2.0.0", "sent", "delivered via something"),
    ("4.7.0", "deferred", said("421 4.7.0 too many messages, slow down", "MAIL FROM")),
    ("4.5.3", "deferred", said("452 4.5.3 Too many recipients")),
    ("4.2.0", "deferred", said("450 4.2.0 Greylisted, please try again later")),
    ("5.1.1", "bounced", said("550 5.1.1 User unknown")),
    ("4.3.0", "deferred", "Error looking up name=mx.big.example type=A: "
     "DNS reply filter drops all results"),
)  # fmt: skip


@cache
def prepared() -> Prepared:
    """The rules, read once for all of these tests."""
    return prepare(configuration.load(None), None)


class Side:
    """A core with its clock; `long`: accepted mail takes no fast path."""

    def __init__(self, long: bool, pools: bool) -> None:
        self.now = START
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(policyd.core, "prepare", lambda config, base: prepared())
            self.core = Core(prepared().config, clock=still(lambda: self.now))
        self.core.controller._retry._rng = Random(1)
        if pools:
            self.core._pools["postfix/relay/smtp"] = "relay"
            self.core._roles._pools["postfix/relay/smtp"] = "relay"
        self.pipeline = self.core.machines._reader("", b"mail").pipeline
        if long:
            self.pipeline._quick.postfix = lambda match: False  # type: ignore[method-assign]
        self.agents = [Session(START), Session(START)]

    def ask(self, agent: int, domain: str, host: str) -> None:
        """An attempt's question at the gate."""
        question = f"{domain}. 0 IN MX 10 {host}.".encode()
        self.core.maps["mx"](question, self.agents[agent], "")

    def state(self) -> object:
        """Everything the line can have changed."""
        core, pacing = self.core, self.core.controller
        return _plain(
            [
                sorted(core.counters.dump(), key=repr),
                core.receivers.snapshot(),
                core.recipients.snapshot(),
                b"".join(core.machines.snapshot()),
                pacing.counts,
                pacing.book._messages,
                pacing._lanes,
                pacing._homes,
                pacing._transactions._young,
                pacing._grants.out,
            ]
        )


def _plain(value: Any) -> Any:
    """Any value as lists of plain ones."""
    if isinstance(value, dict):
        return [(_plain(key), _plain(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | deque):
        return [_plain(item) for item in value]
    if isinstance(value, set):
        return sorted(map(repr, value))
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [*slots, *getattr(value, "__dict__", ())]
    if callable(value):
        return "something to call"
    if not names or isinstance(value, str):
        return value
    return [
        (name, _plain(getattr(value, name))) for name in names if name not in ("settings", "limits")
    ]


deliveries = st.tuples(
    st.sampled_from(REPLIES),
    st.sampled_from(DOMAINS),
    st.sampled_from(HOSTS),
    st.sampled_from(("3A5444167F", "4F3Tqk3Lr4z9vV")),
    st.sampled_from(("", ", conn_use=2")),
    st.sampled_from(("0.1/0/0/0", "0.1/0/0/0", "1.2.3/0/0/0")),
    st.sampled_from(("smtp[11]", "smtp[11]", "relay/smtp[13]", "")),
    st.sampled_from((0, 0, 0, 900)),  # seconds ago
)
questions = st.tuples(st.integers(0, 1), st.sampled_from(DOMAINS), st.sampled_from(HOSTS))
naps = st.sampled_from((0.01, 0.3, 2.0, 40.0, 150.0))


def line(what: tuple[Any, ...], now: float, iso: bool) -> bytes:
    (dsn, status, text), domain, host, queue_id, uses, delays, agent, ago = what
    stamp = "%Y-%m-%dT%H:%M:%S.000000+00:00" if iso else "%b %e %H:%M:%S"
    told = time.gmtime(now - ago) if iso else time.localtime(now - ago)
    relay = "none" if "DNS reply filter" in text else f"{host}[192.0.2.7]:25"
    head = f"mail postfix/{agent}" if agent else "mail postfix/smtp[11]"
    body = record(text, to=f"ann@{domain}", relay=relay, extra=uses, queue_id=queue_id,
                  delays=delays, dsn=dsn, status=status)  # fmt: skip
    priority = "" if agent else "<22>"
    return f"{priority}{time.strftime(stamp, told)} {head}: {body}\n".encode()


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.one_of(deliveries, questions, naps), min_size=12, max_size=40),
    st.booleans(),
    st.booleans(),
)
def test_both_ways_leave_the_same(steps: list[Any], iso: bool, pools: bool) -> None:
    """Lanes, book, transactions, receivers, limits and counters do not depend on the way."""
    quick, long = Side(False, pools), Side(True, pools)
    for side in (quick, long):
        for step in steps:
            if isinstance(step, float):
                side.now += step
                side.core.controller.due(side.now, 1)
            elif len(step) == 3:
                side.ask(*step)
            else:
                side.core.process(line(step, side.now, iso), side.now)
    assert quick.state() == long.state()


def test_the_short_cut_is_taken() -> None:
    """Nearly all accepted mail of an ordinary log goes by it."""
    side, taken = Side(False, False), [0, 0]
    short = side.pipeline._quick.postfix

    def counted(match: Any) -> bool:
        done = short(match)
        taken[done] += 1
        return done

    side.pipeline._quick.postfix = counted  # type: ignore[method-assign]
    what = (REPLIES[0], "one.example", HOSTS[0], "3A5444167F", "", "0.1/0/0/0", "smtp[11]", 0)
    side.core.process(line(what, START, True) * 100, START)
    assert taken == [1, 99]
    assert side.core.controller.counts == {"unasked": 2}  # of fifty recipients each
    assert side.core.counters.deliveries() == {("mx:big.example", "sent"): 100}
