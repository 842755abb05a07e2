"""The text at the end of a Postfix record: whose words, which stage, which host."""

from __future__ import annotations

import pytest

from logparse.events import Delivery
from logparse.postfix import PostfixParser
from tests.logparse.postfix_lines import NOW, line, record, said

HOST = "mx.example.net[192.0.2.10]"


def delivery(
    text: str, *, status: str = "deferred", agent: str = "smtp", **fields: str
) -> Delivery:
    head = f"Nov 23 04:05:06 mx1 postfix/{agent}[4711]: "
    data = line(record(text, status=status, dsn=fields.pop("dsn", "4.0.0"), **fields), head)
    (event,) = PostfixParser().feed(data, NOW)
    assert isinstance(event, Delivery)
    return event


@pytest.mark.parametrize(
    ("text", "stage", "reply"),
    [
        (said("450 4.2.1 later"), "rcpt", "450 4.2.1 later"),
        (said("452 too many", "MAIL FROM"), "mail", "452 too many"),
        (said("451 no", "DATA"), "data", "451 no"),
        (said("421 4.7.0 no", "end of DATA"), "eod", "421 4.7.0 no"),
        (f"host {HOST} refused to talk to me: 554 bad reputation. (NOWL)", "connect",
         "554 bad reputation. (NOWL)"),
        (f"TLS is required, but host {HOST} refused to start TLS: 454 4.7.0 busy", "starttls",
         "454 4.7.0 busy"),
        (f"Sender requested REQUIRETLS, but host {HOST} refused to start TLS: 454 no", "starttls",
         "454 no"),
        (f"SASL authentication failed; server {HOST} said: 535 5.7.8 no", "auth", "535 5.7.8 no"),
        (f"SASL authentication failed; server {HOST} said: 535-5.7.8 no?535 5.7.8 way", "auth",
         "535 5.7.8 no way"),
        ("SASL [CACHED] authentication failed; server mx.example.net said: 535 no", "auth",
         "535 no"),
        (f"Protocol error: {said('250 what', 'DATA')}", "data", "250 what"),
        (said("450 4.1.1 <u@d>: unverified address: host h.example[192.0.2.9] said: 450 4.2.0 x "
              "(in reply to RCPT TO command)"), "rcpt",
         "450 4.1.1 <u@d>: unverified address: host h.example[192.0.2.9] said: 450 4.2.0 x "
         "(in reply to RCPT TO command)"),
    ],
)  # fmt: skip
def test_remote_words(text: str, stage: str, reply: str) -> None:
    """What the other server said is taken out of Postfix's words around it."""
    found = delivery(text)
    assert (found.origin, found.stage, found.reply) == ("remote", stage, reply)
    assert (found.host, found.address, found.port) == ("mx.example.net", "192.0.2.10", 25)


def test_a_greeting_refusal_is_deferred_though_its_code_is_permanent() -> None:
    """Postfix softens a 5yz greeting: the outcome is the status, the reply keeps its code."""
    found = delivery(f"host {HOST} refused to talk to me: 554 5.7.1 go away")
    assert (found.outcome, found.stage, found.reply) == ("deferred", "connect", "554 5.7.1 go away")


@pytest.mark.parametrize(
    ("text", "stage", "host"),
    [
        ("connect to mx.example.net[192.0.2.10]:25: Connection timed out", "connect",
         ("mx.example.net", "192.0.2.10", 25)),
        ("connect to mx1.example[/var/run/lmtp]: No such file or directory", "connect",
         ("mx1.example", "/var/run/lmtp", None)),
        (f"lost connection with {HOST} while receiving the initial server greeting", "connect",
         ("mx.example.net", "192.0.2.10", None)),
        (f"lost connection with {HOST} while performing the EHLO handshake", "helo",
         ("mx.example.net", "192.0.2.10", None)),
        (f"conversation with {HOST} timed out while sending message body", "eod",
         ("mx.example.net", "192.0.2.10", None)),
        (f"conversation with {HOST} timed out while sending end of data -- message may be sent "
         "more than once", "eod", ("mx.example.net", "192.0.2.10", None)),
        ("Host or domain name not found. Name service error for name=d.example type=MX: Host not "
         "found, try again", None, (None, None, None)),
        ("Cannot start TLS: handshake failure", "starttls", (None, None, None)),
        (f"TLS is required, but was not offered by host {HOST}", "starttls",
         ("mx.example.net", "192.0.2.10", None)),
        ("Server certificate not verified", "starttls", (None, None, None)),
        ("TLSA lookup error for mx.example.net:25", None, (None, None, None)),
        (f"SASL authentication failed; cannot authenticate to server {HOST}: no mechanism", "auth",
         ("mx.example.net", "192.0.2.10", None)),
        (f"message size 99 exceeds size limit 9 of server {HOST}", "mail",
         ("mx.example.net", "192.0.2.10", None)),
        ("mail for d.example loops back to myself", None, (None, None, None)),
        ("server unavailable or unable to receive mail", None, (None, None, None)),
        ("mail transport unavailable", None, (None, None, None)),
    ],
)  # fmt: skip
def test_our_own_words_get_no_reply_code(
    text: str, stage: str | None, host: tuple[str | None, str | None, int | None]
) -> None:
    """A local failure keeps its words, has a stage where one is known, and names its host."""
    found = delivery(text, relay="none")
    assert (found.origin, found.stage, found.reply) == ("local", stage, text)
    assert (found.host, found.address, found.port) == host


def test_suspended_echoes_are_no_attempts() -> None:
    """Postfix's echo of an earlier failure has an outcome of its own and tells the failure."""
    found = delivery(
        f"delivery temporarily suspended: host {HOST} refused to talk to me: 421 4.7.0 slow down",
        relay="none",
        agent="error",
    )
    assert (found.outcome, found.origin, found.stage) == ("suspended", "remote", "connect")
    assert (found.host, found.reply) == ("mx.example.net", "421 4.7.0 slow down")
    lost = delivery(
        f"delivery temporarily suspended: connect to {HOST}:25: Connection refused",
        relay="none",
        agent="error",
    )
    assert (lost.outcome, lost.origin, lost.address) == ("suspended", "local", "192.0.2.10")


@pytest.mark.parametrize("prefix", ["", "delivery temporarily suspended: "])
def test_our_own_holds_are_held(prefix: str) -> None:
    """Mail our gate held is neither deferred by the receiver nor suspended, echoed or not."""
    words = "Error looking up name=d1.example type=MX: DNS reply filter drops all results"
    found = delivery(prefix + words, relay="none", dsn="4.7.0")
    assert (found.outcome, found.origin) == ("held", "local")


def test_a_reply_that_quotes_our_hold_is_no_hold() -> None:
    """Only Postfix's own words at the front make a hold."""
    words = "Error looking up name=d1.example type=MX: DNS reply filter drops all results"
    assert delivery(said(f"450 4.7.0 {words}")).outcome == "deferred"
    assert delivery(f"connect to mx.example.net[192.0.2.10]:25: {words}").outcome == "deferred"


@pytest.mark.parametrize("agent", ["local", "virtual", "pipe"])
def test_agents_without_network_say_nothing_remote(agent: str) -> None:
    """The output of a local command is not taken for a remote reply."""
    found = delivery(said("550 5.1.1 forged"), agent=agent, relay=agent, status="bounced")
    assert (found.origin, found.stage, found.host) == ("local", None, None)
    assert (
        delivery("250 looks like smtp", agent=agent, relay=agent, status="sent").origin == "local"
    )
