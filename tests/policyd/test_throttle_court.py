"""Witnesses: which refusals stop a lane, which only what they certainly concern."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.config import Config
from policyd.core import Core
from policyd.receiver.lookup import LookupSettings
from policyd.serve.session import Session
from policyd.throttle import Controller
from policyd.throttle.lane.court import Court
from policyd.throttle.lane.estimate import Accepted
from policyd.throttle.lane.standing import DomainStandings
from policyd.throttle.settings.court import CourtSettings
from tests.policyd.clocks import Times
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence

OTHERS = [f"d{number}.test" for number in range(10)]


def lively(minutes: float = 2.0, **settings: Any) -> tuple[Controller, float]:
    """A lane with ten domains that take a message a second, one after the other."""
    pacer, now = controller(**settings), NOW
    for number in range(int(minutes * 60)):
        take(pacer, OTHERS[number % 10], now)
        now += 1.0
    return pacer, now


def take(pacer: Controller, domain: str, now: float) -> bool:
    """A message to this domain is accepted, if the gate lets it through."""
    if pacer.admit(BIG, domain, now).attempt is None:
        return False
    line = evidence(queue_id=f"A{now}{domain}", domain=domain, time=now, group=(now,))
    pacer.observe(line, now)
    return True


def refuse(pacer: Controller, domain: str, now: float, **changes: Any) -> str:
    """One is refused; the lane's state then."""
    assert pacer.admit(BIG, domain, now).attempt is not None
    values: dict[str, Any] = {"queue_id": f"R{now}{domain}", "stage": "eod"} | changes
    pacer.observe(evidence("deferred", domain=domain, time=now, group=(now,), **values), now)
    return pacer.peek(BIG, now)


@pytest.mark.parametrize("stage", ["connect", "helo", "mail"])
def test_the_receiver_itself_is_believed_at_once(stage: str) -> None:
    """What is said before any recipient was named stops the lane, for as long as it says."""
    pacer, now = lively()
    assert refuse(pacer, "d1.test", now, stage=stage, retry_after=3600.0) == "suspended"
    assert pacer.peek(BIG, now + 3599) == "suspended"


def test_the_receivers_own_words_for_not_now_are_believed_once() -> None:
    """A rule of its own stops the lane, for a short time whatever was spoken; a bounce does not."""
    pacer, now = lively()
    words: dict[str, Any] = {"rule": "mx:big.test.rate", "retry_after": 3600.0}
    assert refuse(pacer, "d1.test", now, reply="550 5.7.1 slow", **words) == "free"
    assert refuse(pacer, "d2.test", now + 40, reply="421 4.7.0 slow", **words) == "suspended"
    assert pacer.peek(BIG, now + 40 + 10.5) == "probing"


def test_one_mailbox_slows_its_own_domain_only() -> None:
    """The accuser waits, longer each time; others are not held."""
    pacer, now = lively()
    assert refuse(pacer, "d1.test", now, retry_after=14_400.0) == "free"
    assert pacer.admit(BIG, "d1.test", now + 1).attempt is None
    assert pacer.admit(BIG, "d2.test", now + 1).attempt is not None
    assert pacer.admit(BIG, "d1.test", now + 6).attempt is not None


def test_the_message_waits_as_long_as_it_was_told() -> None:
    """A spoken time nobody confirms binds the message that heard it."""
    pacer, now = lively()
    refuse(pacer, "d1.test", now, queue_id="M", retry_after=600.0)
    assert all(
        release.queue_id != "M" for at in range(0, 590, 10) for release in pacer.due(now + at)
    )
    assert [release.queue_id for release in pacer.due(now + 601)] == ["M"]


def test_two_domains_with_a_history_stop_the_lane() -> None:
    """The second witness within the span is enough."""
    pacer, now = lively()
    assert refuse(pacer, "d1.test", now) == "free"
    assert refuse(pacer, "d2.test", now + 0.1) == "suspended"


def test_acceptances_elsewhere_acquit() -> None:
    """Between two witnesses others were accepted: the lane goes on, and both have a strike."""
    pacer, now = lively()
    refuse(pacer, "d1.test", now)
    for number in range(12):
        assert take(pacer, f"d{2 + number % 6}.test", now + 0.1 + number * 0.1)
    assert refuse(pacer, "d9.test", now + 2) == "free"
    known = pacer.lane(BIG, now).court.standing.get("d1.test")
    assert known is not None
    assert known.strikes == 1


def test_strangers_together_are_half_a_witness() -> None:
    """Fifty domains that never delivered do not stop a lane others deliver to."""
    pacer, now = lively()
    for number in range(50):
        assert refuse(pacer, f"fresh{number}.test", now) == "free"
        take(pacer, OTHERS[number % 10], now + 0.5)
        now += 1.0


def test_a_lane_where_nobody_is_accepted_any_more_stops() -> None:
    """Strangers alone are refused, and nobody else is tried or accepted: silence is a witness."""
    pacer, now = lively()
    for number in range(12):
        if refuse(pacer, f"fresh{number}.test", now) != "free":
            break
        now += 2.0
    assert pacer.peek(BIG, now) == "suspended"


def test_the_probe_is_not_the_accusers() -> None:
    """While probing, who was refused is held, and who delivered is let through."""
    pacer, now = lively()
    refuse(pacer, "d1.test", now)
    refuse(pacer, "d2.test", now + 0.1)
    assert pacer.peek(BIG, now + 3) == "probing"
    assert pacer.admit(BIG, "fresh.test", now + 3).attempt is None
    assert pacer.admit(BIG, "d2.test", now + 3).attempt is None
    assert pacer.admit(BIG, "d5.test", now + 3).attempt is not None


def test_a_spoken_time_is_confirmed_by_probes_of_others() -> None:
    """Ten seconds at first, twice as long after each refused probe, all of it after the third."""
    pacer, now = lively()
    refuse(pacer, "d1.test", now, retry_after=3600.0)
    refuse(pacer, "d2.test", now + 0.1, retry_after=3600.0)
    now += 0.1
    for stop, domain in ((10.0, "d4.test"), (20.0, "d5.test"), (40.0, "d6.test")):
        assert pacer.peek(BIG, now + stop - 0.1) == "suspended"
        now += stop + 0.1
        refuse(pacer, domain, now, retry_after=3600.0)
    assert pacer.peek(BIG, now + 3590) == "suspended"


def test_an_acceptance_during_a_stop_shortens_it() -> None:
    """Mail of others that got through after the first vote halves what is left of the stop."""
    pacer, now = lively()
    refuse(pacer, "d1.test", now)
    attempt = pacer.admit(BIG, "d7.test", now + 0.05).attempt
    refuse(pacer, "d2.test", now + 0.1, retry_after=10.0)
    state = pacer.lane(BIG, now)
    before = state.until
    assert attempt is not None
    pacer.accepted(state, attempt, now + 0.2)
    assert state.until - now - 0.2 == pytest.approx((before - now - 0.2) / 2)


def test_a_lost_connection_is_one_hosts_while_another_answers() -> None:
    """Four lost connections stop the lane only if no other host of it answers."""
    dead = {"host": "dead.big.test", "origin": "local", "category": "net.lost", "stage": "connect",
            "reply": "lost connection with dead.big.test[192.0.2.9] while"}  # fmt: skip
    pacer, now = lively()
    for number in range(12):
        assert refuse(pacer, "d1.test", now + 20 + number * 0.2, **dead) == "free"
    only, now = lively()
    dead["host"] = "mx.big.test"
    states = [refuse(only, f"d{n}.test", now + 20 + n * 0.2, **dead) for n in range(4)]
    assert states[-1] == "suspended"


def test_an_explanation_names_the_witnesses() -> None:
    """`throttle explain` says who accuses, what that is worth, and who waits by itself."""
    pacer, now = lively()
    refuse(pacer, "d1.test", now)
    told = pacer.explain(BIG.receiver, now)[0]
    assert told.witnesses == {"d1.test": 1.0}
    assert told.alone == {"d1.test": now + 5.0}
    assert told.unconfirmed == 1
    assert "d1.test 1" in told.text
    assert "not confirmed" in told.text


def test_standing_survives_a_restart() -> None:
    """After a restart a stranger is still a stranger, and who delivered is still believed."""
    pacer, now = lively()
    after = controller()
    assert after.restore(pacer.snapshot(now), now) == 0
    assert refuse(after, "fresh.test", now) == "free"
    refuse(after, "d1.test", now + 1)
    assert refuse(after, "d2.test", now + 1) == "suspended"


def test_a_state_of_an_earlier_version_is_read() -> None:
    """A saved lane without votes loads, and so does one whose votes are damaged."""
    for damage in ({}, {"court": None}, {"court": [1.0, [["d1.test", "x"]]]}, {"court": 7}):
        pacer, now = lively()
        saved = pacer.snapshot(now)
        for row in saved["lanes"]:
            del row["court"]
            row.update(damage)
        after = controller()
        assert after.restore(saved, now) == 0
        assert after.peek(BIG, now) == "free"
        assert len(after.lane(BIG, now).court.standing) == 0


def test_one_witness_is_enough_where_the_operator_says_so() -> None:
    """`witnesses: 1`: each refusal slows the receiver."""
    pacer, now = lively(court=CourtSettings(witnesses=1))
    assert refuse(pacer, "d1.test", now) == "suspended"


def test_what_is_remembered_of_domains_is_bounded() -> None:
    """A flood of names leaves a bounded memory; who delivered last is kept."""
    court = Court(CourtSettings())
    for number in range(5000):
        court.began(f"x{number}.test")
        court.accuse(f"x{number}.test", None, Accepted(), NOW + number * 0.001)
    assert len(court.standing) <= 512
    assert len(court.votes) <= 512
    court.accepted("good.test", NOW + 6, NOW + 6)
    for number in range(600):
        court.began(f"y{number}.test")
    assert court.standing.get("good.test") is not None


@given(st.lists(st.tuples(st.sampled_from("btra"), st.integers(0, 700)), max_size=2000))
def test_shares_stay_shares_whatever_comes(events: list[tuple[str, int]]) -> None:
    """Whatever begins, votes or is forgotten: a share lies within 0 and 1."""
    standing = DomainStandings()
    for kind, number in events:
        name = f"d{number}"
        if kind == "a":
            standing.accused(standing.of(name))
        else:
            standing.tried(name)
    assert all(0 <= standing.share(name) <= 1.000001 for name, _ in standing)


def test_a_refusal_over_a_kept_session_waits_for_the_log() -> None:
    """The status filter names no recipient there: only the receiver itself is heard at once."""
    pacer, now = lively()
    told: dict[str, Any] = {"source": "status", "domain": "", "recipient": "", "queue_id": ""}
    for _ in range(6):
        pacer.heard(evidence("deferred", stage="eod", **told), None, None, now)
    line = evidence("deferred", stage="eod", domain="d3.test", queue_id="L", time=now)
    pacer.observe(line, now)
    assert pacer.explain(BIG.receiver, now)[0].witnesses == {"d3.test": 1.0}
    assert pacer.peek(BIG, now) == "free"
    pacer.heard(evidence("deferred", stage="mail", **told), None, None, now + 6)
    assert pacer.peek(BIG, now + 6) == "suspended"


def test_the_receivers_words_from_a_stranger_stop_nobody() -> None:
    """Who never delivered may have copied them."""
    pacer, now = lively()
    words = {"rule": "mx:big.test.rate", "reply": "421 4.7.0 slow"}
    assert refuse(pacer, "fresh.test", now, **words) == "free"


def test_a_domain_that_is_most_of_the_mail_does_not_wait_for_one_mailbox() -> None:
    """Its neighbours go on; the message that was refused waits by itself."""
    pacer, now = controller(), NOW
    for number in range(120):
        take(pacer, "d0.test" if number % 2 else OTHERS[number % 10], now)
        now += 1.0
    refuse(pacer, "d0.test", now, queue_id="M")
    assert pacer.admit(BIG, "d0.test", now + 1).attempt is not None
    assert pacer.due(now + 1) == []


def test_a_few_teach_no_rate_below_what_was_taken_before() -> None:
    """Two of ten domains stop a lane of a message a second: it goes on faster than before."""
    pacer, now = lively(10)
    refuse(pacer, "d1.test", now)
    refuse(pacer, "d2.test", now + 0.1)
    assert pacer.peek(BIG, now + 0.1) == "suspended"
    assert take(pacer, "d5.test", now + 100.0)
    bucket = pacer.lane(BIG, now).bucket
    assert bucket is not None
    assert bucket.rate > 1.7


@pytest.mark.parametrize(
    ("command", "state"), [("MAIL FROM", "suspended"), ("end of DATA", "free")]
)
def test_the_status_filter_tells_at_which_stage_it_was_refused(command: str, state: str) -> None:
    """What is said to MAIL acts before the log is read; what is said to one message does not."""
    times = Times()
    core = Core(Config(lookup=LookupSettings(enabled=False)), clock=times.clock())
    for number in range(60):
        take(core.controller, OTHERS[number % 10], core.clock())
        times.go(1.0)
    session = Session()
    core.maps["mx"](b"d1.test. 0 IN MX 10 mx.big.test.", session, "")
    core.maps["mx"](b"mx.big.test. 0 IN A 192.0.2.1", session, "")
    words = "450 4.7.1 Too many messages from your IP address"
    said = f"host mx.big.test[192.0.2.1] said: {words} (in reply to {command} command)"
    core.maps["status"](f"4.7.1 {said}".encode(), session, "")
    assert core.controller.peek(BIG, core.clock()) == state
