"""Counting for the report: the same from one file or many, bounded, honest about its bounds."""

from __future__ import annotations

from collections.abc import Sized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logparse.events import Delivery, Outcome
from policyd.report import Tally, tally
from policyd.report.skeleton import skeleton
from rules.verdict import Verdict

DAY = 1_795_000_000.0
REFUSED = Verdict("flow.rate", "google.flow.rate", "google", "receiver", "slow", False)
UNKNOWN = Verdict("unknown", None, None, "message", "retry", False)


def delivery(
    number: int = 0,
    outcome: Outcome = "deferred",
    reply: str = "421 4.7.28 slow down",
    domain: str = "gmail.com",
    time: float = DAY,
    queue_id: str = "",
) -> Delivery:
    """A delivery with what the report looks at."""
    return Delivery(
        time=time,
        mta="postfix",
        service="postfix/smtp",
        agent="smtp",
        queue_id=queue_id or f"4Q{number:08d}",
        recipient=f"reader{number}@{domain}",
        orig_recipient=None,
        host="mx.example.net",
        address="192.0.2.1",
        port=25,
        conn_use=1,
        delay=1.5,
        delays=(0.1, 0.01, 0.39, 1.0),
        dsn="4.7.28",
        status=outcome,
        outcome=outcome,
        origin="remote",
        stage="eod",
        reply=reply,
    )


def counted(parts: list[list[tuple[Delivery, str, Verdict | None]]]) -> Tally:
    """Each part in a tally of its own, then merged."""
    whole = Tally()
    for part in parts:
        one = Tally()
        for item in part:
            one.add(*item)
        whole.merge(one)
    return whole


OUTCOMES = st.sampled_from(["sent", "deferred", "bounced", "suspended", "held", "expired"])
DELIVERIES = st.lists(
    st.tuples(
        OUTCOMES,
        st.sampled_from(["google", "gmx", "mx:example.net"]),
        st.sampled_from(["421 slow down", "450 full", "450 greylisted"]),
        st.integers(0, 400_000),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(DELIVERIES, st.integers(0, 40))
def test_files_may_be_counted_apart(found: list[tuple[Outcome, str, str, int]], place: int) -> None:
    """However a log is cut into files, the merged tally is that of the whole log."""
    items: list[tuple[Delivery, str, Verdict | None]] = [
        (
            delivery(number, outcome, reply, time=DAY + late),
            receiver,
            REFUSED if outcome in ("deferred", "bounced") else None,
        )
        for number, (outcome, receiver, reply, late) in enumerate(found)
    ]
    whole, merged = counted([items]), counted([items[:place], items[place:]])
    assert merged.receivers == whole.receivers
    assert (merged.first, merged.last) == (whole.first, whole.last)
    for mine, theirs in ((merged.refusals, whole.refusals), (merged.texts, whole.texts)):
        assert mine.keys() == theirs.keys()
    for key, refusal in whole.refusals.items():
        other = merged.refusals[key]
        assert (other.recipients, other.first, other.last) == (
            refusal.recipients,
            refusal.first,
            refusal.last,
        )
    assert {k: t.count for k, t in merged.texts.items()} == {
        k: t.count for k, t in whole.texts.items()
    }


def test_one_failed_session_is_one_reply() -> None:
    """A refusal for several recipients of one message counts each recipient but one reply."""
    whole = Tally()
    for number in range(5):
        whole.add(delivery(number, queue_id="4QSAME"), "google", REFUSED)
    (refusal,) = whole.refusals.values()
    (text,) = whole.texts.values()
    assert (refusal.recipients, refusal.replies, text.count) == (5, 1, 1)


@pytest.mark.parametrize("cap", ["_RECEIVERS", "_REFUSALS", "_TEXTS", "_DOMAINS"])
def test_every_table_has_a_cap(monkeypatch: pytest.MonkeyPatch, cap: str) -> None:
    """A full table takes nothing new, loses no count of deliveries, and says so."""
    monkeypatch.setattr(tally, cap, 50)
    whole = Tally()
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300)]
    for number, word in enumerate(words):
        reply = f"450 never heard of {word}"
        item = delivery(number, reply=reply, domain=f"{word}.example")
        whole.add(item, f"mx:{word}.example", UNKNOWN)
    name = cap.strip("_").lower()
    tables: dict[str, Sized] = {
        "receivers": whole.receivers,
        "refusals": whole.refusals,
        "texts": whole.texts,
        "domains": [d for row in whole.receivers.values() for d in row.domains],
    }
    assert 50 <= len(tables[name]) <= 51  # the table and "other"
    assert whole.spilled[name] >= 249
    assert sum(row.outcomes["deferred"] for row in whole.receivers.values()) == 300
    assert sum(refusal.recipients for refusal in whole.refusals.values()) == 300


def test_details_of_small_receivers_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """When hours and delays need too much room, the busiest receivers keep theirs."""
    monkeypatch.setattr(tally, "_CELLS", 200)
    monkeypatch.setattr(tally, "_LOOK", 10)
    whole = Tally()
    for number in range(600):
        receiver = "google" if number % 2 else f"mx:{number}.example"
        whole.add(delivery(number, "sent", time=DAY + number % 7 * 3600), receiver, None)
    assert whole.receivers["google"].detailed
    assert whole.spilled["details"] > 0
    assert whole._cells() <= 200 + 10 * 6


def test_what_was_no_attempt_has_no_reason() -> None:
    """Echoes, holds and expiries are counted apart and never as refusals."""
    whole = Tally()
    for outcome in ("suspended", "held", "expired", "probe"):
        whole.add(delivery(0, outcome), "google", REFUSED)
    assert not whole.refusals
    assert not whole.receivers["google"].domains
    assert whole.receivers["google"].outcomes.total() == 4


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("451 4.7.1 try later (ab12cd34ef)", "451 4.7.1 try later (99ff00aa11)"),
        ("450 <ann@example.net>: no", "450 <bob.two@example.org>: no"),
        ("421 too fast from 192.0.2.1", "421 too fast from 2001:db8::7"),
        ("550-5.7.1 one 550 5.7.1 two", "550-5.7.1 one two"),
        ("450 see https://x.example/a?id=1", "450 see https://x.example/b?id=2"),
        ("450 wait 17 seconds", "450 wait 300 seconds"),
        ("451 4.3.0 busy kJdWrtXsq", "451 4.3.0 busy aBcDeFghZ"),
    ],
)
def test_the_same_words_have_one_skeleton(one: str, two: str) -> None:
    """Addresses, numbers and identifiers do not make a reply a new one."""
    assert skeleton(one) == skeleton(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("421 4.7.0 [TSS04] deferred", "421 4.7.0 [TSS05] deferred"),
        ("450 4.2.1 later", "450 4.2.2 later"),
        ("450 later", "550 later"),
        ("451 rate limited (S775)", "451 rate limited (S843)"),
    ],
)
def test_codes_tell_replies_apart(one: str, two: str) -> None:
    """Reply codes, enhanced codes and code tags stay in the skeleton."""
    assert skeleton(one) != skeleton(two)


@given(st.text())
def test_any_text_has_a_short_skeleton(text: str) -> None:
    """No reply is too strange, and the skeleton of a skeleton is no longer than it."""
    found = skeleton(text)
    assert len(found.split()) <= 48
    assert len(skeleton(found)) <= len(found) + 8
