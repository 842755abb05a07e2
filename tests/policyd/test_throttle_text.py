"""What `mxheed throttle list` prints."""

from __future__ import annotations

import pytest

from policyd.cli.throttle_text import explanation, listing

LONG = "550 " + "mailbox unavailable, reject due to policy restrictions " * 8


def lane(receiver: str, state: str, **more: object) -> dict[str, object]:
    return {"receiver": receiver, "state": state, "pool": "", "since": 90.0, **more}


def test_a_long_reply_squeezes_nothing_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Receiver, state, times and numbers are whole however long the reply is."""
    reason = {"reply": LONG, "last": 95.0, "category": "reputation.ip", "count": 3, "first": 91.0}
    listing(
        {
            "now": 100.0,
            "lanes": [
                lane("gmx", "suspended", until=160.0, held=7, reasons=[reason]),
                lane("a-receiver-with-a-long-name.example", "slowed", rate=5.0, pinned=True),
            ],
        }
    )
    head, gmx, other = capsys.readouterr().out.splitlines()
    assert "receiver" in head
    assert "pool" not in head  # nobody has one
    assert ("suspended" in gmx, "7" in gmx, "550 mailbox" in gmx) == (True, True, True)
    assert "a-receiver-with-a-long-name.example" in other
    assert "slowed (pinned)" in other


def test_no_lane_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to list is said, not shown as an empty table."""
    listing({"now": 0.0, "lanes": []})
    assert capsys.readouterr().out == "Every receiver is free; nothing is held.\n"


def test_the_shadow_is_said_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Who lists states that have no effect is told so before them."""
    listing({"now": 0.0, "active": True, "mode": "shadow", "lanes": []})
    assert "mxheed is in shadow" in capsys.readouterr().out.splitlines()[0]


def test_a_lane_is_told_by_its_whole_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    """A lane that flaps is in trouble since it was free last, and its stops are counted."""
    flapping = lane("gmx", "suspended", stops=7, changed=95.0, off=True, held=2, deferred=3)
    explanation({"now": 100.0, "receiver": "gmx", "lanes": [flapping]})
    said = capsys.readouterr().out
    assert "7 stops; suspended since 5 s ago" in said
    assert "suspended (off)" in said
    assert "2 held by us, 3 deferred by them" in said


def test_stepping_aside_is_said_first(capsys: pytest.CaptureFixture[str]) -> None:
    """After `mxheed off` an empty list does not look like a calm day."""
    listing({"now": 0.0, "active": False, "lanes": []})
    assert "stepped aside" in capsys.readouterr().out.splitlines()[0]
