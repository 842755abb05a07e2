"""Whatever the gate drops, mail takes no way it would not take without it.

A model of how Postfix finds its next hop plays random sets of exchangers against the gate, and the
same without it: smtp(8) sorts the MX records, asks for addresses, and cuts the list at itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.hooks.mxgate import KEEP, Gate
from policyd.receiver.rollup import Receivers
from policyd.throttle import Controller, PacingSettings
from tests.policyd.sim import NoTable

NOW = 1_000_000.0
US = "us.test"
RECEIVERS = ("one.test", "two.test", "three.test")


@dataclass(frozen=True)
class Exchanger:
    """One MX record and what its host resolves to."""

    preference: int
    receiver: str
    addresses: int = 1
    alias: bool = False
    again: int | None = None  # listed at this preference, too

    @property
    def ourselves(self) -> bool:
        """Nobody refuses mail for this machine: it sends itself none."""
        return self.receiver == US


class Session:
    memory: object = None


Ask = Callable[[str], bool]


def way(exchangers: list[Exchanger], order: list[int], kept: Ask) -> list[tuple[int, int]] | str:
    """Preference and number of the hosts that Postfix would try, or what becomes of the mail."""
    hosts = [f"h{number}.{one.receiver}" for number, one in enumerate(exchangers)]
    given = [(exchangers[number].preference, number) for number in order]
    given += [(again, n) for n in order if (again := exchangers[n].again) is not None]
    records = [one for one in given if kept(f"d.test. 0 IN MX {one[0]} {hosts[one[1]]}.")]
    if not records:
        return "deferred"
    records.sort(key=lambda record: record[0])
    found: list[tuple[int, int]] = []
    soft = False
    for preference, number in records:
        one = exchangers[number]
        name = f"real{number}.elsewhere.test" if one.alias else hosts[number]
        for address in range(one.addresses):
            if kept(f"{name}. 0 IN A 192.0.2.{address}"):
                found.append((preference, number))
            else:
                soft = True
    if not found:
        return "deferred" if soft else "no such host"
    ourselves = min((worth for worth, n in found if exchangers[n].ourselves), default=None)
    if ourselves is None or (left := [host for host in found if host[0] < ourselves]):
        return found if ourselves is None else left
    best = records[0][0]
    return "bounced: loops back" if found[0][0] == best else "deferred"


MADE = st.builds(
    Exchanger,
    st.integers(1, 4),
    st.sampled_from((*RECEIVERS, US)),
    st.integers(0, 2),
    st.booleans(),
    st.none() | st.integers(1, 4),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(MADE, min_size=1, max_size=6), st.sets(st.sampled_from(RECEIVERS)), st.randoms())
def test_mail_goes_where_it_would_go_without_us_or_waits(
    exchangers: list[Exchanger], suspended: set[str], chance: random.Random
) -> None:
    """It never bounces for our sake, no host is used that was not to be, none before a better."""
    controller = Controller(PacingSettings(), rng=random.Random(1))
    gate = Gate(controller, Receivers(NoTable()), lambda: NOW)
    for receiver in suspended:
        controller.pin(f"mx:{receiver}", "suspended", 3600.0, NOW)
    order = chance.sample(range(len(exchangers)), len(exchangers))
    session = Session()
    ours = way(exchangers, order, lambda key: gate.ask(key.encode(), session) is KEEP)
    stock = way(exchangers, order, lambda key: True)
    if isinstance(stock, str):
        assert ours in (stock, "deferred")
    elif isinstance(ours, str):
        assert ours == "deferred"
        assert any(one.receiver in suspended for one in exchangers)
    else:
        assert set(ours) <= set(stock)
        assert ours[0][0] == stock[0][0]
        better = [host for host in stock if host[0] < ours[-1][0]]
        assert set(better) <= set(ours)
    assert sum(state.window.open for state in controller.lanes(NOW)) <= 1
    if not suspended:
        assert ours == stock
        # whose the addresses of an alias are can be lost where it is listed twice: a token more
        twice = sum(one.alias and one.again is not None for one in exchangers)
        assert gate.decisions["admitted"] <= 1 + twice


@settings(max_examples=300, deadline=None)
@given(
    st.lists(MADE, min_size=2, max_size=6),
    st.sets(st.sampled_from(RECEIVERS), min_size=1),
    st.integers(1, 14),
    st.randoms(),
)
def test_a_gate_that_takes_over_in_the_middle_sends_nothing_to_a_worse_host(
    exchangers: list[Exchanger], suspended: set[str], cut: int, chance: random.Random
) -> None:
    """kill -9 while agents ask or wait at the door: the next gate has not seen how they began.

    What the lanes know is the same, for it is saved. No host is tried before a better one, unless
    that one was dropped by the old gate, of which nobody knows.
    """
    controller = Controller(PacingSettings(), rng=random.Random(1))
    for receiver in suspended:
        controller.pin(f"mx:{receiver}", "suspended", 3600.0, NOW)
    gates = [Gate(controller, Receivers(NoTable()), lambda: NOW) for _ in range(2)]
    sessions = [Session(), Session()]
    answers: list[bool] = []

    def kept(key: str) -> bool:
        turn = int(len(answers) >= cut and all(answers[:cut]))
        answers.append(gates[turn].ask(key.encode(), sessions[turn]) is KEEP)
        return answers[-1]

    order = chance.sample(range(len(exchangers)), len(exchangers))
    ours, stock = way(exchangers, order, kept), way(exchangers, order, lambda key: True)
    if isinstance(stock, str):
        assert ours in (stock, "deferred")
    elif isinstance(ours, str):
        assert ours == "deferred"
    else:
        assert set(ours) <= set(stock)
        assert ours[0][0] == stock[0][0]
