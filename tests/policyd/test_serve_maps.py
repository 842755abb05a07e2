"""What the maps `status` and `transport` say: limits stay queued, mail finds its transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from policyd.hooks.statusmap import HeardRefusal, StatusMap
from policyd.hooks.transportmap import RecipientTransports, TransportMap
from policyd.serve.session import Session
from policyd.serve.settings import StatusSettings
from rules.verdict import Verdict

NOTFOUND = b"NOTFOUND "
SAID = b" (in reply to RCPT TO command)"
HOST = b"host mx.big.test[192.0.2.1] said: "

LIMIT = Verdict("flow.recipients", "big.recipients", "big", "message", "retry", False)
RATE = Verdict("flow.rate", "big.rate", "big", "ip", "slow", False)
GONE = Verdict("recipient.unknown", "big.unknown", "big", "recipient", "stop", True)
SPAM = Verdict("content.spam", "big.spam", "big", "message", "stop", False)
BLOCK = Verdict("reputation.ip", "big.block", "big", "ip", "pause", False)
UNKNOWN = Verdict("unknown", None, "big", "message", "retry", False)
VERDICTS = {
    "too many recipients": LIMIT,
    "too fast": RATE,
    "no such user": GONE,
    "smells": SPAM,
    "blocked": BLOCK,
}


class Desk:
    """A status map with a clock to turn and an ear that remembers."""

    def __init__(self, **settings: float) -> None:
        self.now = 0.0
        self.session = Session()
        self.asked: list[tuple[str, str | None, str | None, str | None, str]] = []
        self.refused: list[HeardRefusal] = []
        self.accepted: list[Session] = []
        self.told: list[Session] = []
        self.map = StatusMap(
            self.classify,
            lambda host: host.split(".")[1],
            lambda: self.now,
            StatusSettings(**settings),  # type: ignore[arg-type]
            told=self.told.append,
            accepted=self.accepted.append,
            refused=self.refused.append,
        )

    def classify(
        self, reply: str, *, mx: str | None, receiver: str | None, stage: str | None, origin: str
    ) -> Verdict:
        self.asked.append((reply, mx, receiver, stage, origin))
        return next((v for words, v in VERDICTS.items() if words in reply.lower()), UNKNOWN)

    def ask(self, key: bytes) -> bytes:
        answer = self.map.ask(key, self.session, "two")
        assert isinstance(answer, bytes)
        return answer


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        pytest.param(
            b"5.5.3 " + HOST + b"552 5.5.3 Too many recipients" + SAID,
            b"OK 4.5.3 " + HOST + b"552 5.5.3 Too many recipients" + SAID,
            id="limit-spoken-as-552",
        ),
        pytest.param(
            b"5.7.1 " + HOST + b"550-5.7.1 Too fast 550 5.7.1 for us" + SAID,
            b"OK 4.7.1 " + HOST + b"550-5.7.1 Too fast 550 5.7.1 for us" + SAID,
            id="folded-reply",
        ),
        pytest.param(b"5.1.1 " + HOST + b"550 5.1.1 No such user" + SAID, NOTFOUND, id="gone"),
        pytest.param(b"5.7.1 " + HOST + b"550 5.7.1 smells" + SAID, NOTFOUND, id="spam"),
        pytest.param(b"5.7.1 " + HOST + b"550 5.7.1 blocked" + SAID, NOTFOUND, id="blocklisted"),
        pytest.param(b"5.0.0 " + HOST + b"550 what?" + SAID, NOTFOUND, id="no-rule"),
        pytest.param(b"4.2.1 " + HOST + b"450 4.2.1 Too fast" + SAID, NOTFOUND, id="already-4yz"),
        pytest.param(b"2.0.0 250 2.0.0 OK", NOTFOUND, id="accepted"),
        pytest.param(b"5.4.4 Host or domain name not found, too fast", NOTFOUND, id="own-words"),
        pytest.param(b"", NOTFOUND, id="empty"),
        pytest.param(b"5", NOTFOUND, id="cut"),
        pytest.param(b"too fast", NOTFOUND, id="no-code"),
        pytest.param(b"5.7.1 \xff\xfe" + HOST, NOTFOUND, id="bytes"),
    ],
)
def test_only_a_limit_spoken_as_5yz_is_softened(key: bytes, answer: bytes) -> None:
    """A passing limit becomes 4yz with its text unchanged; everything else stays as it is."""
    assert Desk().ask(key) == answer


def test_the_question_is_read_as_a_log_line_is() -> None:
    """Host, stage and unfolded reply come from the same parser as the log's."""
    desk = Desk()
    desk.ask(b"5.7.1 " + HOST + b"550-5.7.1 Too fast 550 5.7.1 for us" + SAID)
    assert desk.asked == [("550 5.7.1 Too fast for us", "mx.big.test", "big", "rcpt", "remote")]


def test_remote_words_cannot_pose_as_ours() -> None:
    """A reply that contains Postfix's own phrases is still what that host said."""
    desk = Desk()
    forged = b"550 5.1.1 No such user host other.example[192.0.2.9] said: 552 later"
    assert desk.ask(b"5.1.1 " + HOST + forged + SAID) == NOTFOUND
    assert desk.refused[0].host == "mx.big.test"


def test_what_is_heard_comes_with_its_connection() -> None:
    """Refusals and acceptances are told at once; of our own holds only that the attempt ended."""
    desk = Desk()
    desk.ask(b"2.0.0 250 2.0.0 OK")
    desk.ask(b"4.7.1 " + HOST + b"450 4.7.1 too fast" + SAID)
    desk.ask(b"5.5.3 " + HOST + b"552 too many recipients" + SAID)
    desk.ask(b"4.7.0 Error looking up name=d1.lim type=MX: DNS reply filter drops all results")
    assert desk.accepted == [desk.session]
    assert desk.told == [desk.session] * 4
    assert [(one.receiver, one.verdict) for one in desk.refused] == [("big", RATE), ("big", LIMIT)]
    assert {one.session for one in desk.refused} == {desk.session}


def test_a_limit_is_believed_for_so_long_and_no_longer() -> None:
    """After the longest time the refusal bounces; after a quiet time the count starts anew."""
    desk = Desk(longest=100.0, quiet=50.0)
    key = b"5.5.3 " + HOST + b"552 5.5.3 Too many recipients" + SAID
    answers = []
    for now in (0, 40, 80, 100, 101, 140, 191):
        desk.now = float(now)
        answers.append(desk.ask(key)[:2])
    assert answers == [b"OK", b"OK", b"OK", b"OK", b"NO", b"NO", b"OK"]


def test_a_restart_does_not_grant_the_whole_time_again() -> None:
    """What a limit has been believed for survives in the snapshot."""
    key = b"5.5.3 " + HOST + b"552 5.5.3 Too many recipients" + SAID
    before, after = Desk(longest=100.0), Desk(longest=100.0)
    before.ask(key)
    after.map.restore(before.map.snapshot())
    after.now = 101.0
    assert after.ask(key) == NOTFOUND


def test_it_can_be_switched_off() -> None:
    """Without `enabled` nothing is softened, but refusals are still heard."""
    desk = Desk(enabled=False)
    assert desk.ask(b"5.5.3 " + HOST + b"552 too many recipients" + SAID) == NOTFOUND
    assert len(desk.refused) == 1


def transports(
    named: Mapping[str, str],
    receiver_of: Callable[[str], str | None],
    *,
    sizes: Sequence[int] = (),
    limit: int | None = None,
) -> TransportMap:
    """The map, with transports for so many recipients and everybody's limit."""
    fewer = RecipientTransports(sizes, lambda receiver: limit, 50)
    return TransportMap(named, receiver_of, fewer)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        (b"User+ext@Gmail.COM", b"OK mx-google:"),
        (b'"odd@local"@gmail.com', b"OK mx-google:"),
        (b"user@gmail.com.", b"OK mx-google:"),
        (b"user@other.example", NOTFOUND),
        (b"user@new.example", NOTFOUND),
        (b"postmaster", NOTFOUND),
        (b"user@", NOTFOUND),
        (b"\xff@\xfe", NOTFOUND),
    ],
)
def test_a_receiver_with_a_transport_of_its_own_is_named(key: bytes, answer: bytes) -> None:
    """The transport is given, the next-hop left to the recipient's domain; others get no answer."""
    known = {"gmail.com": "google", "other.example": "other"}
    table = transports({"google": "mx-google"}, known.get)
    assert table.ask(key, Session(), "") == answer


@pytest.mark.parametrize(
    ("named", "asked"),
    [({"google": "mx-google"}, ["new.example"]), ({}, [])],
    ids=["named", "none"],
)
def test_who_is_behind_a_domain_is_only_asked_where_it_matters(
    named: dict[str, str], asked: list[str]
) -> None:
    """An unknown domain gets the default at once; without transports nobody is even looked up."""
    names: list[str] = []
    table = transports(named, names.append)
    assert table.ask(b"a@New.Example", Session(), "") == NOTFOUND
    assert names == asked


@pytest.mark.parametrize(
    ("limit", "answer"),
    [
        (None, NOTFOUND),
        (49, b"OK mxheed-r20:"),
        (50, NOTFOUND),
        (20, b"OK mxheed-r20:"),
        (19, b"OK mxheed-r5:"),
        (5, b"OK mxheed-r5:"),
        (3, b"OK mxheed-r2:"),
        (1, b"OK mxheed-r2:"),
    ],
)
def test_a_receiver_that_takes_fewer_recipients_gets_the_largest_transport_that_fits(
    limit: int | None, answer: bytes
) -> None:
    """No more at once than it takes, where such a transport is configured; else the smallest."""
    table = transports({}, lambda domain: "orange", sizes=(20, 2, 5), limit=limit)
    assert table.ask(b"a@orange.example", Session(), "") == answer


def test_a_transport_of_its_own_goes_before_one_for_fewer_recipients() -> None:
    """The operator's word for a receiver stands, and nothing is answered that nobody configured."""
    table = transports({"orange": "mx-orange"}, lambda domain: "orange", sizes=(5,), limit=5)
    assert table.ask(b"a@orange.example", Session(), "") == b"OK mx-orange:"
    without = transports({"other": "mx-other"}, lambda domain: "orange", limit=5)
    assert without.ask(b"a@orange.example", Session(), "") == NOTFOUND


def test_the_shipped_rules_soften_the_limits_of_real_receivers() -> None:
    """With the real classifier: a 552 about recipients is kept, an unknown user is let go."""
    import rules

    ruleset = rules.load()
    classifier = rules.Classifier(ruleset)
    real = StatusMap(
        classifier.classify,
        lambda host: ruleset.receivers.of_host(host) or "",
        lambda: 0.0,
        StatusSettings(),
    )
    kept = b"5.5.3 host mx.any.test[192.0.2.1] said: 552 5.5.3 Too many recipients" + SAID
    gone = b"5.1.1 host mx.any.test[192.0.2.1] said: 550 5.1.1 User unknown" + SAID
    assert real.ask(kept, Session(), "") == b"OK 4" + kept[1:]
    assert real.ask(gone, Session(), "") == NOTFOUND
