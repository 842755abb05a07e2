"""What the policy service says at submission: back-pressure, closed classes, never a permit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from policyd.config import load
from policyd.core import Core
from policyd.hooks.standing import Standing
from policyd.hooks.submission import Submission
from policyd.serve.policy import Handler, PolicyEndpoint, Request
from policyd.serve.session import Session
from policyd.serve.settings import ClosedSettings, SubmissionSettings
from tests.policyd.clocks import still


class Throttle:
    """Two receivers, one of them suspended until 1300 s."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.states = {"google": Standing("suspended", 1300.0), "gmx": Standing("slowed")}

    def receiver_of(self, domain: str) -> str | None:
        self.asked.append(domain)
        known = {"gmail.com": "google", "gmx.net": "gmx", "free.example": "mx:free.example"}
        return known.get(domain)

    def standing(self, receiver: str, now: float) -> Standing:
        return self.states.get(receiver, Standing("free"))

    blames = True

    def blamed(self, sender: str, receiver: str, now: float) -> float:
        return 1060.0 if (sender, receiver) == ("bad.example", "gmx") else 0.0

    def mail_class(self, sender: str, domain: str) -> str:
        return "news" if sender == "news.example" else ""


def desk(**settings: object) -> Handler:
    made = SubmissionSettings(**settings)  # type: ignore[arg-type]
    return Submission(made, Throttle(), lambda: 1000.0).ask


def request(
    recipient: str = "bob@gmail.com", state: str = "RCPT", instance: str = "1.2.3.0", **more: str
) -> Request:
    fields = {"protocol_state": state, "recipient": recipient, "instance": instance, **more}
    lines = "".join(f"{name}={value}\n" for name, value in fields.items())
    return Request(b"request=smtpd_access_policy\n" + lines.encode())


DEFERRED = b"DEFER_IF_PERMIT 4.7.1 google takes no mail from here at the moment; retry=00:05:00"


@pytest.mark.parametrize(
    ("sender", "action"),
    [
        ("a@bad.example", b"DEFER_IF_PERMIT 4.7.1 gmx takes no mail from here at the moment; "
         b"retry=00:01:00"),
        ("a@good.example", b"DUNNO"),
        ("", b"DUNNO"),
    ],
)  # fmt: skip
def test_a_sender_domain_that_is_blamed_waits_alone(sender: str, action: bytes) -> None:
    """Where a receiver blames one sender's domain, only that domain's new mail is put off."""
    assert desk()(request("bob@gmx.net", sender=sender), Session()) == action


@pytest.mark.parametrize(
    ("recipient", "action"),
    [
        ("bob@gmail.com", DEFERRED),
        ("BOB@GMAIL.COM.", DEFERRED),
        ('"a@b"@gmail.com', DEFERRED),
        ("bob@gmx.net", b"DUNNO"),
        ("bob@free.example", b"DUNNO"),
        ("bob@new.example", b"DUNNO"),
        ("postmaster", b"DUNNO"),
        ("", b"DUNNO"),
    ],
)
def test_only_a_suspended_receiver_pushes_back(recipient: str, action: bytes) -> None:
    """Mail to a suspended receiver is put off with the time to come back; the rest passes."""
    assert desk()(request(recipient), Session()) == action


def test_a_new_domain_is_asked_for_behind_the_answer() -> None:
    """A domain nobody knows is let through; the question for it has it looked up."""
    throttle = Throttle()
    ask = Submission(SubmissionSettings(), throttle, lambda: 0.0).ask
    assert ask(request("a@new.example"), Session()) == b"DUNNO"
    assert throttle.asked == ["new.example"]


@pytest.mark.parametrize("state", ["CONNECT", "EHLO", "HELO", "MAIL", "DATA", "VRFY", "ETRN", ""])
def test_other_protocol_states_are_none_of_our_business(state: str) -> None:
    """Only RCPT and END-OF-MESSAGE are judged."""
    assert desk()(request(state=state), Session()) == b"DUNNO"


def test_the_time_told_is_bounded() -> None:
    """A suspension of a day is not told to a mail client as a day."""
    throttle = Throttle()
    throttle.states["google"] = Standing("suspended", 90_000.0)
    ask = Submission(SubmissionSettings(longest=600.0), throttle, lambda: 1000.0).ask
    assert ask(request(), Session()).endswith(b"retry=00:10:00")


def test_a_suspension_that_is_just_over_still_tells_a_second() -> None:
    """A time in the past is never told."""
    throttle = Throttle()
    throttle.states["google"] = Standing("suspended", 1.0)
    ask = Submission(SubmissionSettings(), throttle, lambda: 1000.0).ask
    assert ask(request(), Session()).endswith(b"retry=00:00:01")


@pytest.mark.parametrize(
    ("settings", "fields", "pushed"),
    [
        ({"suspended": "dunno"}, {}, False),
        ({"senders": ("news.example",)}, {"sender": "x@news.example"}, True),
        ({"senders": ("news.example",)}, {"sender": "x@shop.example"}, False),
        ({"contexts": ("bulk",)}, {"policy_context": "bulk"}, True),
        ({"contexts": ("bulk",)}, {"policy_context": ""}, False),
    ],
)
def test_back_pressure_is_only_for_whom_it_is_meant(
    settings: dict[str, object], fields: dict[str, str], pushed: bool
) -> None:
    """It can be switched off, or limited to senders and contexts."""
    assert (desk(**settings)(request(**fields), Session()) == DEFERRED) is pushed


@pytest.mark.parametrize(
    ("closed", "fields", "action"),
    [
        ({"receivers": ("gmx",), "action": "reject"}, {"recipient": "a@gmx.net"},
         b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ({"receivers": ("gmx",), "action": "reject"}, {"recipient": "a@free.example"}, b"DUNNO"),
        ({"receivers": ("gmx",), "text": "no lists here"}, {"recipient": "a@gmx.net"},
         b"DEFER_IF_PERMIT 4.7.1 no lists here; retry=01:00:00"),
        ({"domains": (".free.example",), "action": "warn"}, {"recipient": "a@free.example"},
         b"WARN mx:free.example is closed to this class of mail"),
        ({"senders": ("<>",), "action": "reject"}, {"recipient": "a@gmx.net", "sender": ""},
         b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ({"senders": ("list@l.example",), "action": "reject"},
         {"recipient": "a@gmx.net", "sender": "List@L.example"},
         b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ({"senders": (".l.example",), "action": "reject"},
         {"recipient": "a@gmx.net", "sender": "a@deep.l.example"},
         b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ({"senders": ("l.example",), "action": "reject"},
         {"recipient": "a@gmx.net", "sender": "a@evil-l.example"}, b"DUNNO"),
        ({"users": ("newsletter",), "action": "reject"},
         {"recipient": "a@gmx.net", "sasl_username": "newsletter"},
         b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ({"users": ("newsletter",), "action": "reject"}, {"recipient": "a@gmx.net"}, b"DUNNO"),
        ({"when": "suspended", "action": "reject"}, {"recipient": "a@gmx.net"}, b"DUNNO"),
        ({"when": "slowed", "action": "reject"}, {"recipient": "a@gmx.net"},
         b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ({"receivers": ("google",), "action": "dunno"}, {}, b"DUNNO"),
    ],
)  # fmt: skip
def test_a_receiver_is_closed_to_a_class_of_mail(
    closed: dict[str, object], fields: dict[str, str], action: bytes
) -> None:
    """Every list that is given must match; the first class that is meant decides."""
    ask = desk(closed={"class": ClosedSettings(**closed)})  # type: ignore[arg-type]
    assert ask(request(**fields), Session()) == action


@pytest.mark.parametrize(
    ("sender", "recipient", "action"),
    [
        ("x@News.example", "a@gmx.net", b"REJECT 5.7.1 gmx is closed to this class of mail"),
        ("x@shop.example", "a@gmx.net", b"DUNNO"),
        ("x@news.example", "a@free.example", b"DUNNO"),
        ("", "a@gmx.net", b"DUNNO"),
    ],
)
def test_a_receiver_closed_to_a_class_of_the_pacing_takes_none_of_it(
    sender: str, recipient: str, action: bytes
) -> None:
    """A class in `pacing.classes` is turned away where its mail comes in."""
    closed = ClosedSettings(classes=("news",), receivers=("gmx",), action="reject")
    assert desk(closed={"a": closed})(request(recipient, sender=sender), Session()) == action


HOLD = {"held": ClosedSettings(receivers=("google",), action="hold", text="later")}


@pytest.mark.parametrize(
    ("recipients", "action"),
    [
        (["a@gmail.com"], b"HOLD later"),
        (["a@gmail.com", "b@gmail.com"], b"HOLD later"),
        (["a@gmail.com", "b@gmx.net"], b"DUNNO"),
        (["b@gmx.net", "a@gmail.com"], b"DUNNO"),
        (["a@new.example", "a@gmail.com"], b"DUNNO"),
        (["a@gmx.net"], b"DUNNO"),
    ],
)
def test_the_whole_message_is_only_touched_when_all_of_it_is_meant(
    recipients: list[str], action: bytes
) -> None:
    """Hold waits for the end of the message and for every recipient to be meant."""
    ask, session = desk(closed=HOLD), Session()
    for recipient in recipients:
        assert ask(request(recipient), session) == b"DUNNO"
    single = recipients[0] if len(recipients) == 1 else ""
    end = request(single, "END-OF-MESSAGE", recipient_count=str(len(recipients)))
    assert ask(end, session) == action


def test_the_recipients_of_the_message_before_are_forgotten() -> None:
    """One connection carries many messages; each is judged by its own recipients."""
    ask, session = desk(closed=HOLD), Session()
    ask(request("a@gmail.com", instance="1"), session)
    ask(request("a@gmx.net", instance="2"), session)
    assert ask(request("", "END-OF-MESSAGE", instance="2"), session) == b"DUNNO"
    ask(request("a@gmail.com", instance="3"), session)
    assert ask(request("", "END-OF-MESSAGE", instance="3"), session) == b"HOLD later"


@pytest.mark.parametrize(
    ("counted", "action"),
    [("1", b"HOLD later"), ("2", b"DUNNO"), ("0", b"HOLD later"), ("", b"HOLD later")],
)
def test_a_message_with_recipients_that_passed_unasked_is_not_touched(
    counted: str, action: bytes
) -> None:
    """A restriction before ours may permit a recipient; the count at the end tells of it."""
    ask, session = desk(closed=HOLD), Session()
    ask(request("a@gmail.com"), session)
    end = request("", "END-OF-MESSAGE", recipient_count=counted)
    assert ask(end, session) == action


@pytest.mark.parametrize(
    ("recipient", "action"), [("a@gmail.com", b"HOLD later"), ("", b"DUNNO"), ("x@y", b"DUNNO")]
)
def test_asked_at_the_end_only_a_single_recipient_is_judged(recipient: str, action: bytes) -> None:
    """Postfix names the recipient at END-OF-MESSAGE only when there is just one."""
    assert desk(closed=HOLD)(request(recipient, "END-OF-MESSAGE"), Session()) == action


def test_a_filter_is_spelled_as_postfix_wants_it() -> None:
    """FILTER keeps its transport and destination."""
    closed = {"f": ClosedSettings(action="filter slow:[127.0.0.1]:10025")}
    ask, session = desk(closed=closed), Session()
    ask(request(), session)
    end = request("", "END-OF-MESSAGE")
    assert ask(end, session) == b"FILTER slow:[127.0.0.1]:10025"


@pytest.mark.parametrize(
    "bad",
    [{"action": "ok"}, {"action": "filter nowhere"}, {"action": "hold it"}, {"text": "a\nb"},
     {"text": "ümlaut"}, {"action": ""}],
)  # fmt: skip
def test_a_class_that_makes_no_sense_is_refused(bad: dict[str, str]) -> None:
    """Mistakes are found when the configuration is read, not when mail comes."""
    with pytest.raises(ValueError, match=r"action|text"):
        ClosedSettings(**bad)  # type: ignore[arg-type]


def test_a_receivers_name_cannot_break_the_answer() -> None:
    """Receivers are named after hosts that strangers choose: the reply stays one clean line."""
    throttle = Throttle()
    evil = "mx:a\n\naction=OK{retry} <b>" + "x" * 500
    throttle.receiver_of = lambda domain: evil  # type: ignore[method-assign,assignment]
    throttle.states[evil] = Standing("suspended", 1300.0)
    served = PolicyEndpoint(
        Submission(SubmissionSettings(), throttle, lambda: 1000.0).ask, clock=lambda: 0.0
    )
    answer = served.answer(request(), Session(), 0.0)
    assert answer.count(b"\n") == 2
    assert answer.startswith(b"action=DEFER_IF_PERMIT 4.7.1 mx:aactionOK")
    assert not served.counts.faults


NEW = """
pacing: {classes: {news: {senders: [news.example]}}}
serve:
  submission:
    closed:
      a: {classes: [news], receivers: [google], action: reject, text: "{receiver} takes no news"}
"""
OLD = "pacing: {classes: {news: {senders: [news.example], closed: [google]}}}"
OLD_FOR_ALL = OLD.replace("google", '"*"')
SAID = b"REJECT 5.7.1 google takes no mail of class news from here"


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (NEW, b"REJECT 5.7.1 google takes no news"),
        (OLD, SAID),
        (OLD_FOR_ALL, SAID),
        (OLD.replace("closed: [google]", "closed: google"), SAID),
        (OLD.replace("closed: [google]", "closed: [gmx]"), b"DUNNO"),
        (OLD.replace("closed: [google]", "closed: []"), b"DUNNO"),
        (f"{OLD}\nserve: {{submission: {{closed: }}}}", SAID),
        (f"{OLD}\nserve: {{submission: {{closed: {{news: {{receivers: [gmx]}}}}}}}}", SAID),
    ],
)
def test_the_daemons_core_closes_receivers_as_its_configuration_says(
    tmp_path: Path, text: str, action: bytes
) -> None:
    """From a file, also one with the key as it was once written, to the refusal."""
    (tmp_path / "mxheed.yaml").write_text(text, "utf-8")
    core = Core(load(tmp_path / "mxheed.yaml"), clock=still(lambda: 1000.0))
    core.receivers.learn("gmail.com", "gmail-smtp-in.l.google.com", 1000.0)

    async def ask(sender: str) -> bytes:
        return core.policy(request(sender=sender), Session())

    assert asyncio.run(ask("x@sub.news.example")) == action
    assert asyncio.run(ask("x@shop.example")) == b"DUNNO"


@pytest.mark.parametrize(
    ("closed", "receivers"), [("[google, gmx]", ", receivers: [google, gmx]"), ('"*"', "")]
)
def test_a_key_that_has_moved_is_told_with_its_new_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, closed: str, receivers: str
) -> None:
    """The hint has the place in the file; written as it says, the same mail is turned away."""
    file = tmp_path / "mxheed.yaml"
    file.write_text(OLD.replace("[google]", closed), "utf-8")
    old = load(file)
    (hint,) = caplog.messages
    assert hint.startswith(f"{file}:1:")
    said, told = hint.split("write ")
    assert "pacing.classes.news.closed works, but has moved" in said
    entry = f"{{news: {{classes: [news]{receivers}, action: reject}}}}"
    assert told == f"serve.submission.closed: {entry}"
    file.write_text(
        f"pacing: {{classes: {{news: {{senders: [news.example]}}}}}}\n"
        f"serve: {{submission: {{closed: {entry}}}}}\n",
        "utf-8",
    )
    caplog.clear()
    new = load(file)
    assert caplog.messages == []
    assert new.pacing == old.pacing
    (was,), (now,) = (config.serve.submission.closed.values() for config in (old, new))
    assert replace(was, text="") == now


@pytest.mark.parametrize(("shadow", "action"), [(False, DEFERRED[:15]), (True, b"DUNNO")])
def test_who_only_watches_pushes_nobody_back(shadow: bool, action: bytes) -> None:
    """In shadow the receiver counts as suspended, but new mail for it is let in."""
    from policyd.config import Config
    from policyd.core import Core
    from policyd.throttle.settings.pacing import PacingSettings

    core = Core(Config(pacing=PacingSettings(shadow=shadow)), clock=still(lambda: 1000.0))
    core.receivers.learn("gmail.com", "gmail-smtp-in.l.google.com", 1000.0)
    core.controller.pin("google", "suspended", 60.0, 1000.0)

    async def ask() -> bytes:
        return core.policy(request(), Session())

    assert asyncio.run(ask()).startswith(action)
