"""One lane's states: what closes it, what opens it, what leaves it alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from policyd.throttle import Controller, Lane, Limits, Reaction
from policyd.throttle.settings.pacing import WindowSettings
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence


def flow(pacer: Controller, count: int, now: float, gap: float = 0.01) -> float:
    """So many attempts, accepted one after the other; returns the time after."""
    for number in range(count):
        admission = pacer.admit(BIG, "d1.test", now)
        assert admission.attempt is not None
        line = evidence(queue_id=f"F{now}-{number}", time=now, group=(now,))
        pacer.observe(line, now)
        now += gap
    return now


def refuse(pacer: Controller, now: float, domain: str = "d1.test", **changes: Any) -> None:
    """One attempt that was let through is refused."""
    assert pacer.admit(BIG, domain, now).attempt is not None
    line = evidence("deferred", queue_id=f"R{now}", time=now, group=(now,), **changes)
    line = line._replace(domain=domain, recipient=f"a@{domain}")
    pacer.observe(line, now)


def test_a_lane_goes_round_from_free_over_slowed_to_free() -> None:
    """free → suspended → probing → slowed → free, each step by its own cause."""
    pacer = controller()
    now = flow(pacer, 20, NOW)
    refuse(pacer, now)
    assert pacer.peek(BIG, now) == "suspended"
    assert pacer.admit(BIG, "d1.test", now + 2.4).attempt is None
    assert pacer.peek(BIG, now + 2.6) == "probing"
    probe = pacer.admit(BIG, "d1.test", now + 2.6)
    assert probe.attempt is not None
    assert pacer.admit(BIG, "d2.test", now + 2.6).attempt is None  # one probe at a time
    pacer.observe(evidence(queue_id="P", time=now + 2.7, group=(2,)), now + 2.7)
    assert pacer.peek(BIG, now + 2.7) == "slowed"
    bucket = pacer.lane(BIG, now).bucket
    assert bucket is not None
    assert 6.0 < bucket.rate < 9.0  # 20 in 2.8 s
    assert pacer.peek(BIG, now + 3 + 1801) == "free"


def test_a_refused_probe_closes_again_for_longer() -> None:
    """Each refused probe doubles the stop."""
    pacer = controller()
    now = flow(pacer, 20, NOW)
    for stop in (2.5, 5.0, 10.0, 20.0):
        refuse(pacer, now)
        assert pacer.peek(BIG, now + stop - 0.01) == "suspended"
        now += stop + 0.01
        assert pacer.peek(BIG, now) == "probing"


def test_repeats_of_one_refusal_count_once() -> None:
    """What was under way when the first refusal came changes nothing more."""
    pacer = controller(window=WindowSettings(initial=12))
    now = flow(pacer, 20, NOW)
    for number in range(10):
        assert pacer.admit(BIG, f"d{number}.test", now).attempt is not None
    for number in range(10):
        line = evidence("deferred", queue_id=f"R{number}", domain=f"d{number}.test", time=now)
        pacer.observe(line, now + number * 0.01)
    state = pacer.lane(BIG, now)
    assert state.trouble.patience.stop == 2.5
    assert state.refused_total == 10
    assert pacer.peek(BIG, now + 2.7) == "probing"


def test_recipients_of_one_transaction_are_one_attempt() -> None:
    """Fifty log lines of one delivery take one token, and count one acceptance."""
    pacer = controller()
    pacer.admit(BIG, "d1.test", NOW)
    for number in range(50):
        pacer.observe(evidence(recipient=f"u{number}@d1.test"), NOW)
    assert pacer.lane(BIG, NOW).accepted == 1
    pacer.observe(evidence(recipient="u51@d1.test"), NOW)
    assert pacer.lane(BIG, NOW).accepted == 2  # beyond the recipient limit: another transaction


def test_one_bad_message_never_stops_a_big_receiver() -> None:
    """Among thousands accepted, refusals must be a share of the traffic to mean anything."""
    pacer = controller()
    now = flow(pacer, 3000, NOW, 0.003)
    refuse(pacer, now)
    assert pacer.peek(BIG, now) == "free"


@pytest.mark.parametrize(
    ("category", "scope"),
    [
        ("content.spam", "message"),
        ("recipient.unknown", "recipient"),
        ("recipient.rate", "recipient"),
        ("flow.greylist", "recipient"),
        ("flow.recipients", "message"),
        ("flow.messages", "connection"),
        ("auth.dmarc", "domain"),
        ("reputation.domain", "domain"),
        ("unknown", "message"),
    ],
)
def test_what_blames_somebody_else_leaves_the_lane_alone(category: str, scope: str) -> None:
    """Only a verdict about our address or the receiver itself concerns the whole lane."""
    pacer, now = controller(), NOW
    for number in range(50):
        domain = f"d{number}.test"
        refuse(pacer, now, domain, category=category, scope=scope, stance="retry")
        now += 0.1
    assert pacer.peek(BIG, now) == "free"


def test_our_domains_fault_holds_back_that_sender_only() -> None:
    """A verdict about a sender domain stops its mail, at that receiver."""
    pacer = controller()
    for number in (1, 2):
        pacer.note_sender(f"S{number}", "bad.example", NOW)
        pacer.admit(BIG, "d1.test", NOW)
        pacer.observe(
            evidence("deferred", queue_id=f"S{number}", category="reputation.domain",
                     scope="domain", stance="pause"), NOW
        )  # fmt: skip
    assert pacer.blame.active
    assert pacer.blame.until(BIG, "bad.example") == NOW + 10
    assert pacer.blame.until(BIG, "good.example") == 0.0
    assert pacer.blame.until(Lane("", "mx:other.test"), "bad.example") == 0.0


def test_a_hint_is_obeyed_within_its_clamps() -> None:
    """retry= decides the stop; absurd values are clamped."""
    for told, stop in ((30.0, 30.0), (0.0, 1.0), (1e9, 14400.0)):
        pacer = controller()
        now = flow(pacer, 5, NOW)
        refuse(pacer, now, retry_after=told, stage="mail")
        assert pacer.peek(BIG, now + stop - 0.01) == "suspended"
        assert pacer.peek(BIG, now + stop + 0.01) == "probing"


def test_a_receiver_that_counts_connections_gets_fewer_at_a_time() -> None:
    """Of 12 in flight 7 are refused at the door: five it is, and no rate."""
    pacer = controller(window=WindowSettings(initial=12))
    for number in range(12):
        assert pacer.admit(BIG, f"d{number}.test", NOW).attempt is not None
    for number in range(7):
        line = evidence("deferred", queue_id=f"R{number}", domain=f"d{number}.test",
                        category="flow.connections")  # fmt: skip
        pacer.observe(line, NOW + 0.01)
    state = pacer.lane(BIG, NOW)
    assert state.window.cap == 5
    assert state.bucket is None


def test_a_run_of_refusals_tells_a_block_from_a_share() -> None:
    """After much accepted mail a block shows by nothing being accepted any more."""
    pacer = controller()
    now = flow(pacer, 3000, NOW, 0.002)
    for number in range(10):
        assert pacer.peek(BIG, now) == "free", number
        refuse(pacer, now, category="reputation.ip", scope="ip", stance="pause")
        now += 0.01
    assert pacer.peek(BIG, now) == "suspended"


def test_a_shadow_reaction_only_counts() -> None:
    """shadow: true changes no lane, but its counter says what it would have met."""
    pacer = controller(reactions={"flow.rate": Reaction("slow", shadow=True)})
    refuse(pacer, NOW)
    assert pacer.peek(BIG, NOW) == "free"
    assert pacer.counts["shadow.flow.rate"] == 1


def test_the_whole_controller_in_the_shadow_holds_nothing() -> None:
    """With shadow every attempt passes, and what would have been held is counted."""
    pacer = controller(shadow=True)
    pacer.set_rate(BIG.receiver, 0.01, NOW)
    assert all(pacer.admit(BIG, "d1.test", NOW).attempt for _ in range(30))
    assert pacer.counts["shadow.hold"] == 30


def test_told_limits_hold_from_the_first_message() -> None:
    """rate, burst, ceiling and attempts of the configuration need no lesson."""
    pacer = controller(receivers={BIG.receiver: Limits(rate=5, burst=2, attempts=3)})
    admitted = sum(pacer.admit(BIG, "d1.test", NOW + t / 10).attempt is not None for t in range(50))
    assert admitted <= 3  # three in flight, for none has ended
    assert pacer.peek(BIG, NOW + 1e6) == "slowed"


def test_an_operator_is_obeyed() -> None:
    """pin, cancel, extend and set_rate do what they say; a pin outlasts the receiver's words."""
    pacer = controller()
    pacer.pin(BIG.receiver, "suspended", 100, NOW)
    assert pacer.peek(BIG, NOW + 99) == "suspended"
    assert pacer.extend(BIG.receiver, 50, NOW + 10) == 1
    assert pacer.peek(BIG, NOW + 149) == "suspended"
    pacer.cancel(BIG.receiver, NOW + 20)
    assert pacer.peek(BIG, NOW + 20) == "free"
    pacer.pin(BIG.receiver, "free", 100, NOW + 30)
    for number in range(50):
        refuse(pacer, NOW + 31 + number)
    assert pacer.peek(BIG, NOW + 90) == "free"
    pacer.cancel(BIG.receiver, NOW + 200)
    pacer.set_rate(BIG.receiver, 3.0, NOW + 200)
    bucket = pacer.lane(BIG, NOW).bucket
    assert bucket is not None
    assert bucket.rate == pytest.approx(3.0)


def test_lanes_are_bounded_and_the_troubled_are_kept() -> None:
    """When too many receivers are known, idle ones without trouble are forgotten first."""
    pacer = controller(lanes=50)
    pacer.pin(BIG.receiver, "suspended", 1e6, NOW)
    for number in range(500):
        lane = Lane("", f"mx:r{number}.test")
        pacer.admit(lane, "d.test", NOW + number)
        pacer.lane(lane, NOW).window.open = 0
    assert len(pacer.lanes(NOW + 500)) <= 50
    assert pacer.peek(BIG, NOW + 500) == "suspended"


def test_told_limits_hold_only_in_their_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowed from eight to six, free at night, also across midnight."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    day = 86400 * 11000
    pacer = controller(receivers={BIG.receiver: Limits(rate=1, hours="08:00-18:00")})
    for hour, state in ((7.9, "free"), (8.1, "slowed"), (17.9, "slowed"), (18.1, "free")):
        now = day + hour * 3600
        pacer.lane(BIG, now)
        pacer.due(now)
        assert pacer.peek(BIG, now) == state, hour
    night = Limits(hours="22:00-06:00")
    assert [night.hold_at(day + h * 3600) for h in (21, 23, 5, 7)] == [False, True, True, False]


@pytest.mark.parametrize("hours", ["8-18", "08:00", "25:00-26:00", "08:60-09:00", "a:b-c:d"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    """A typing mistake is said at once."""
    with pytest.raises(ValueError, match="HH:MM-HH:MM"):
        Limits(hours=hours)
