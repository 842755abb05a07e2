"""A lane's changes in our own log: one line each, bounded, safe from what strangers say."""

from __future__ import annotations

import json
import logging

import pytest

from policyd.throttle import Controller
from policyd.throttle.lanelog import IN_ALL, PER_LANE, LaneLog
from tests.policyd.clocks import still
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence


@pytest.fixture
def pacer(caplog: pytest.LogCaptureFixture) -> Controller:
    """A controller whose changes are written down."""
    caplog.set_level(logging.INFO, "policyd.throttle.lanelog")
    made = controller()
    made.on_change = LaneLog()
    return made


def refuse(pacer: Controller, now: float, reply: str = "421 4.7.0 slow down") -> None:
    pacer.admit(BIG, "d1.test", now)
    refused = evidence("deferred", queue_id=f"Q{now}", time=now, reply=reply, retry_after=30.0)
    pacer.observe(refused, now)


def test_each_change_is_one_line(pacer: Controller, caplog: pytest.LogCaptureFixture) -> None:
    """From free to free again: what it became, until when, and what was said."""
    refuse(pacer, NOW)
    pacer.due(NOW + 31)
    probe = pacer.admit(BIG, "d1.test", NOW + 31)
    assert probe.attempt is not None
    pacer.accepted(probe.lane, probe.attempt, NOW + 31.5)
    pacer.cancel(BIG.receiver, NOW + 40)
    assert caplog.messages == [
        "lane receiver=mx:big.test from=free to=suspended until=1970-01-12T13:47:10Z "
        'rule=generic.rate category=flow.rate host=mx.big.test reply="421 4.7.0 slow down"',
        "lane receiver=mx:big.test from=suspended to=probing",
        "lane receiver=mx:big.test from=probing to=slowed rate=1/s",
        "lane receiver=mx:big.test from=slowed to=free",
    ]


def test_an_operators_word_is_told_as_such(
    pacer: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    """A pin tells how long it holds, and blames no reply for it."""
    refuse(pacer, NOW)
    pacer.cancel(BIG.receiver, NOW + 1)
    pacer.pin(BIG.receiver, "suspended", 60.0, NOW + 2)
    pinned = "1970-01-12T13:47:42Z"
    assert caplog.messages[-1] == (
        f"lane receiver=mx:big.test from=free to=suspended until={pinned} pinned_until={pinned}"
    )


@pytest.mark.parametrize(
    "reply",
    [
        'ok" to=free rule="none',
        "a\nlane receiver=google from=free to=suspended",
        "a\r\x1b[2J\x7f\u202e\u2028\ud800b",
        "x" * 10_000,
        "\\" * 500,
        "%s %(name)s {receiver}",
    ],
)
def test_a_reply_cannot_forge_a_line_or_a_pair(
    pacer: Controller, caplog: pytest.LogCaptureFixture, reply: str
) -> None:
    """Remote words are one short JSON string in printable ASCII at the end of the line."""
    refuse(pacer, NOW, reply)
    (line,) = caplog.messages
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line.partition(" reply=")[2])
    assert told == reply[:200]


def test_a_hosts_name_cannot_forge_a_pair(
    pacer: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver may be called after a host whose owner chose an odd name."""
    pacer.pin("mx:a to=free\nb", "suspended", 60.0, NOW)
    (line,) = caplog.messages
    assert line.startswith('lane receiver="mx:a to=free\\nb" from=free to=suspended')


def test_a_receiver_that_flaps_gets_few_lines_and_the_rest_is_counted(
    pacer: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    """So many lines a minute for a lane; the first of the next minute tells of those left out."""
    for number in range(200):
        now = NOW + number * 0.2
        pacer.pin(BIG.receiver, "suspended" if number % 2 == 0 else "free", 60.0, now)
    assert len(caplog.messages) == PER_LANE
    pacer.pin(BIG.receiver, "suspended", 60.0, NOW + 61)
    assert len(caplog.messages) == PER_LANE + 1
    assert caplog.messages[-1].endswith(f" left_out={200 - PER_LANE}")


def test_many_receivers_together_do_not_flood_the_log(
    pacer: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever owns thousands of names gets no more lines by it; a minute later all is well."""
    for number in range(3 * IN_ALL):
        pacer.pin(f"mx:h{number}.test", "suspended", 60.0, NOW)
    assert len(caplog.messages) == IN_ALL
    pacer.pin("mx:late.test", "suspended", 60.0, NOW + 61)
    assert len(caplog.messages) == IN_ALL + 1


def test_the_daemons_core_writes_changes_down(caplog: pytest.LogCaptureFixture) -> None:
    """The controller that the daemon uses has this ear."""
    from policyd.config import Config
    from policyd.core import Core

    caplog.set_level(logging.INFO, "policyd.throttle.lanelog")
    core = Core(Config(), clock=still(lambda: NOW))
    core.controller.pin("google", "suspended", 60.0, NOW)
    assert caplog.messages[0].startswith("lane receiver=google from=free to=suspended until=")
