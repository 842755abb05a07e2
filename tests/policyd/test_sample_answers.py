"""The sample day is a play: whatever is seen in it, Postfix hears nothing of it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd import sample
from policyd.config import Config
from policyd.daemon import Daemon
from policyd.hooks.answers import MAPS, SAFE, Hooks, paced
from policyd.reading.sight import Sight
from policyd.reading.sources import choose
from policyd.serve.policy import Request
from policyd.serve.session import Session
from policyd.serve.settings import ServeSettings
from policyd.settings.lookup import LookupSettings
from tests.policyd.clocks import Times

TIMES = Times()
SAFE_ANSWERS = {**dict.fromkeys(MAPS, b"NOTFOUND "), "policy": b"DUNNO"}
GOOGLE = b"gmail-smtp-in.l.google.com. 60 IN A 192.0.2.26"
LIMIT = (
    b"host gmail-smtp-in.l.google.com[192.0.2.26] said: 550-5.7.1 Our system has detected an "
    b"unusual rate of unsolicited mail (in reply to end of DATA command)"
)
DAY = gzip.decompress(sample.PATH.read_bytes()).splitlines(keepends=True)
REFUSALS = [line for line in DAY if b"status=deferred" in line or b"status=bounced" in line]
LINES = st.sampled_from(REFUSALS) | st.sampled_from(DAY) | st.binary(max_size=80)


HOSTS = st.sampled_from([b"gmail-smtp-in.l.google.com.", b"mx.example.org.", b"mx.example.net."])
QUESTIONS = st.one_of(
    st.builds(lambda host: ("mx", b"d1.example. 60 IN MX 10 " + host), HOSTS),
    st.builds(lambda host: ("mx", host + b" 60 IN A 192.0.2.26"), HOSTS),
    st.builds(lambda dsn: ("status", dsn + b" " + LIMIT), st.sampled_from([b"4.7.28", b"5.7.1"])),
    st.sampled_from([("transport", b"a@gmail.com"), ("policy", b"a@gmail.com")]),
    st.tuples(st.sampled_from([*MAPS, "policy"]), st.binary(max_size=60)),
)  # fmt: skip
STORIES = st.lists(st.lists(LINES, max_size=30) | QUESTIONS, max_size=12)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that plays the sample day, with a transport of Google's own."""
    config = Config(
        serve=ServeSettings(transports={"google": "mx-google"}),
        lookup=LookupSettings(enabled=False),
    )
    clock = TIMES.clock()
    state = tmp_path_factory.mktemp("sample") / "state.db"
    made = Daemon(config, None, state, choose(("sample",), clock=clock), clock)
    made.core.receivers.learn("gmail.com", "gmail-smtp-in.l.google.com", clock())
    yield made
    made.store.close()


def ask(hooks: Hooks, name: str, key: bytes) -> object:
    if name == "policy":
        text = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=%b\n" % key
        return hooks.policy(Request(text), Session())
    return hooks.maps[name](key, Session(), "")


def happen(daemon: Daemon, lines: list[bytes]) -> None:
    """These lines, as if they had been written just now, a second after the last ones."""
    TIMES.go(1.0)
    now = daemon.clock.wall()
    stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").encode()
    daemon.core.process(b"".join(stamp + line[len(stamp) :] for line in lines), now)


@given(STORIES)
def test_a_sample_never_touches_an_answer(
    daemon: Daemon, stories: list[list[bytes] | tuple[str, bytes]]
) -> None:
    """Whatever lines are played, and whatever Postfix asks between them, each answer is safe."""
    for part in stories:
        if isinstance(part, list):
            happen(daemon, part)
        else:
            assert ask(daemon.hooks, *part) == SAFE_ANSWERS[part[0]]


def test_the_same_evidence_would_be_answered_from_if_it_were_a_log(daemon: Daemon) -> None:
    """The core of the play has learnt: only that nobody asks it keeps mail going."""
    refused = [line for line in REFUSALS if b"google.com[" in line and b"421-4.7.28" in line]
    new = [line.replace(b"]: 4", b"]: 5", 1) for line in refused[:20]]
    # at MAIL it is the receiver itself that speaks: one word of it is enough
    happen(daemon, [line.replace(b"end of DATA command", b"MAIL FROM command") for line in new])
    sight = Sight(daemon.clock())
    log = paced(daemon.core, sight)
    questions = {"mx": GOOGLE, "transport": b"a@gmail.com", "policy": b"a@gmail.com"}
    assert {name: ask(log, name, key) for name, key in questions.items()} == {
        name: SAFE_ANSWERS[name] for name in questions
    }
    sight.report(None, daemon.clock())
    told = {name: ask(log, name, key) for name, key in questions.items()}
    assert told["mx"] == b"OK IGNORE"
    assert told["transport"] == b"OK mx-google:"
    assert isinstance(told["policy"], bytes)
    assert told["policy"].startswith(b"DEFER_IF_PERMIT")
    assert {name: ask(daemon.hooks, name, key) for name, key in questions.items()} == {
        name: SAFE_ANSWERS[name] for name in questions
    }


def test_the_safe_answers_know_no_core() -> None:
    """They are made before there is any, from nothing but constants."""
    functions = [*SAFE.maps.values(), SAFE.policy, SAFE.closed]
    assert [function.__closure__ for function in functions] == [None] * len(functions)
