"""An operator's words to a running daemon: obeyed, or refused with words that help."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policyd.config import Config
from policyd.core import Core
from policyd.errors import ControlError
from policyd.throttle import Lane
from policyd.web.orders import Operator
from tests.policyd.clocks import still

NOW = 1_000_000.0


@pytest.fixture(scope="module")
def core() -> Core:
    """A core that has sent mail to one exchanger, from two pools."""
    made = Core(Config(), clock=still(lambda: NOW))
    for pool in ("", "two"):
        made.controller.admit(Lane(pool, "mx:example.net"), "d.test", NOW)
    made.receivers.learn("gmail.com", "gmail-smtp-in.l.google.com", NOW)
    return made


@pytest.fixture
def operator(core: Core) -> Operator:
    for state in core.controller.lanes(NOW):
        state.cancel(NOW)
    core.controller.retired = False
    return Operator(core)


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        ("googel", "there is no receiver 'googel'; did you mean 'google'? known: google, "),
        ("mx:exmaple.net", ""),
        ("gmail.com", "gmail.com is a domain; its receiver is 'google'"),
        ("GMAIL.COM", "GMAIL.COM is a domain; its receiver is 'google'"),
        ("mx:aspmx.l.google.com", "aspmx.l.google.com is of 'google'"),
        ("mx:mail.example.net", "mail.example.net is of 'mx:example.net'"),
        ("mx:Example.NET", "Example.NET is of 'mx:example.net'"),
        ("mx:", "there is no receiver 'mx:'"),
        ("mx:a b", "there is no receiver 'mx:a b'"),
        ("ip:999", "there is no receiver 'ip:999'"),
        ("", "there is no receiver ''"),
        ("\x1b[31m\n", r"there is no receiver '\x1b[31m\n'"),
    ],
)
def test_a_receiver_that_is_none_is_refused_with_what_was_meant(
    operator: Operator, receiver: str, words: str
) -> None:
    """Whatever is wanted of it; one that mail could go to some day is not refused."""
    arguments = {"state": "suspended", "seconds": 60.0}
    if not words:
        assert operator.change("pin", receiver, arguments)["lanes"]
        return
    for verb in ("pin", "set", "cancel", "extend"):
        with pytest.raises(ControlError) as refused:
            operator.change(verb, receiver, arguments | {"rate": 1.0})
        assert words in str(refused.value)
    with pytest.raises(ControlError):
        operator.explain(receiver, None)


@pytest.mark.parametrize("receiver", ["google", "mx:new.example", "ip:192.0.2.1", "ip:2001:db8::1"])
def test_a_receiver_without_mail_yet_is_explained_and_can_be_pinned(
    operator: Operator, core: Core, receiver: str
) -> None:
    """A known name is no mistake: it has no lanes yet, and gets one by a pin."""
    if receiver not in {state.lane.receiver for state in core.controller.lanes(NOW)}:
        assert operator.explain(receiver, None) == {"receiver": receiver, "lanes": []}
    told = operator.change("pin", receiver, {"state": "slowed", "seconds": 60.0, "rate": 0.5})
    (lane,) = told["lanes"]
    assert (lane["state"], lane["rate"], lane["pinned"]) == ("slowed", 0.5, True)


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("pin", {"seconds": 5}, "pin needs a state: one of free, slowed, suspended"),
        ("pin", {"state": ["free"], "seconds": 5}, "pin needs a state"),
        ("pin", {"state": "suspended"}, "seconds must be a number above 0"),
        ("pin", {"state": "suspended", "seconds": "5"}, "seconds must be a number"),
        ("pin", {"state": "suspended", "seconds": True}, "seconds must be a number"),
        ("pin", {"state": "suspended", "seconds": -1}, "seconds must be a number above 0"),
        ("pin", {"state": "suspended", "seconds": 1e300}, "seconds must be at most 366 days"),
        ("pin", {"state": "suspended", "seconds": float("inf")}, "at most 366 days"),
        ("pin", {"state": "suspended", "seconds": float("nan")}, "seconds must be a number"),
        ("pin", {"state": "suspended", "seconds": 10**400}, "at most 366 days"),
        ("pin", {"state": "slowed", "seconds": 5, "rate": 1e-320}, "between one a day and"),
        ("set", {"rate": 1e9}, "between one a day and 100,000 a second"),
        ("set", {}, "rate must be a number above 0"),
        ("extend", {"seconds": 5}, "mx:example.net is neither suspended nor pinned"),
        ("cancel", {"pool": 7}, "pool must be a text"),
        ("cancel", {"pool": "tow"}, "from pool 'tow'; from: '', 'two'"),
        ("set", {"pool": "p" * 65, "rate": 1}, "pool must be"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    operator: Operator, verb: str, arguments: dict[str, Any], words: str
) -> None:
    """Numbers that nobody means would outlive the daemon, or end its pages."""
    before = operator.overview()
    with pytest.raises(ControlError) as refused:
        operator.change(verb, "mx:example.net", arguments)
    assert words in str(refused.value)
    assert operator.overview() == before


def test_every_pool_is_changed_unless_one_is_named(operator: Operator) -> None:
    """Without a pool all lanes of the receiver obey."""
    pin = {"state": "suspended", "seconds": 60.0}
    told = operator.change("pin", "mx:example.net", pin)
    assert [lane["state"] for lane in told["lanes"]] == ["suspended", "suspended"]
    told = operator.change("cancel", "mx:example.net", {"pool": "two"})
    assert [(lane["pool"], lane["state"]) for lane in told["lanes"]] == [("two", "free")]
    assert [lane["pool"] for lane in operator.overview()["lanes"]] == [""]


def test_a_rate_ends_a_pin(operator: Operator) -> None:
    """`set` means to learn further from there, which a pin would forbid."""
    operator.change("pin", "mx:example.net", {"state": "suspended", "seconds": 60.0, "pool": "two"})
    told = operator.change("set", "mx:example.net", {"rate": 3.0, "pool": "two"})
    (lane,) = told["lanes"]
    assert (lane["state"], lane["pinned"], lane["rate"]) == ("slowed", False, pytest.approx(3.0))


def test_a_lane_pinned_free_is_listed(operator: Operator) -> None:
    """It looks like any other free one, but it is an operator's doing that ends some day."""
    assert operator.overview() == {"active": True, "mode": "on", "lanes": []}
    operator.change("pin", "mx:example.net", {"state": "free", "seconds": 60.0, "pool": "two"})
    (lane,) = operator.overview()["lanes"]
    assert (lane["receiver"], lane["state"], lane["pinned"]) == ("mx:example.net", "free", True)
    assert lane["until"] == NOW + 60.0


def test_stepping_aside_tells_of_what_we_hold_only(operator: Operator, core: Core) -> None:
    """What a receiver deferred waits for Postfix's own retry: it is not held, and not let go."""
    book, lane = core.controller.book, Lane("", "mx:example.net")
    for name, held in (("4D00000001", True), ("4D00000002", False), ("4D00000003", False)):
        book.wait(book.message(name, NOW), lane, "example.net", NOW, NOW, held=held)
    try:
        assert operator.switch(False)["held"] == 1
    finally:
        for name in ("4D00000001", "4D00000002", "4D00000003"):
            book.drop(name)
        operator.switch(True)


def test_stepping_aside_shows_and_all_of_it_is_json(operator: Operator) -> None:
    """The overview says whether we pace at all; no value is one JSON does not know."""
    operator.change("pin", "mx:example.net", {"state": "suspended", "seconds": 60.0})
    assert operator.switch(False) == {"active": False, "held": 0}
    assert operator.overview()["active"] is False
    json.dumps(operator.overview(), allow_nan=False)
    operator.switch(True)
    assert operator.overview()["active"] is True
