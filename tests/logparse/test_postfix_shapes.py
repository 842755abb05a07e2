"""Every shape of a Postfix delivery record becomes the right value."""

from __future__ import annotations

from datetime import UTC

import pytest

from logparse.events import Delivery, Event, HostTrouble, Removed, Unparsed
from logparse.postfix import PostfixParser
from tests.logparse.postfix_lines import NOW, line, record, said


def events(*lines: bytes) -> list[Event]:
    return PostfixParser(UTC).feed(b"".join(lines), NOW)


def delivery(data: bytes) -> Delivery:
    (event,) = events(data)
    assert isinstance(event, Delivery), event
    return event


def test_all_fields_of_an_accepted_message() -> None:
    """A plain record gives every field of the value."""
    assert delivery(line(record())) == Delivery(
        time=1_795_406_706.0,
        mta="postfix",
        service="postfix/smtp",
        agent="smtp",
        queue_id="3A5444167F",
        recipient="ann@example.net",
        orig_recipient=None,
        host="mx.example.net",
        address="192.0.2.10",
        port=25,
        conn_use=1,
        delay=1.4,
        delays=(0.07, 0.01, 0.6, 0.72),
        dsn="2.0.0",
        status="sent",
        outcome="sent",
        origin="remote",
        stage="eod",
        reply="250 2.0.0 Ok: queued as 9C1B2",
        pid=4711,
        cut=False,
    )


@pytest.mark.parametrize(
    ("program", "agent"),
    [
        ("postfix/smtp", "smtp"),
        ("postfix/lmtp", "lmtp"),
        ("postfix-out/smtp", "smtp"),
        ("postfix/relay/smtp", "smtp"),
        ("postfix/submission/smtp", "smtp"),
        ("mx-out.example/slow-lane/smtp", "smtp"),
        ("postfix/error", "error"),
    ],
)
def test_the_last_part_of_the_program_is_the_agent(program: str, agent: str) -> None:
    """Instance and service prefixes of any depth are kept in the service, not in the agent."""
    found = delivery(line(record(), f"Nov 23 04:05:06 mx1 {program}[1]: "))
    assert (found.service, found.agent) == (program, agent)


@pytest.mark.parametrize("queue_id", ["3A5444", "3A5444167F", "4F3Tqk3Lr4z9vV", "3mPVKl0Mhjz7sXv"])
def test_short_and_long_queue_ids(queue_id: str) -> None:
    """Hexadecimal and base-52 queue ids are read as they stand."""
    assert delivery(line(record(queue_id=queue_id))).queue_id == queue_id


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ("MX.Example.NET.[192.0.2.10]:25", ("mx.example.net", "192.0.2.10", 25)),
        ("mx.example.net[2001:db8::10]:25", ("mx.example.net", "2001:db8::10", 25)),
        ("192.0.2.1[192.0.2.1]:587", ("192.0.2.1", "192.0.2.1", 587)),
        ("mx1.example[private/dovecot-lmtp]", ("mx1.example", "private/dovecot-lmtp", None)),
        ("mx.example.net[192.0.2.10]", ("mx.example.net", "192.0.2.10", None)),
        ("none", (None, None, None)),
        ("local", (None, None, None)),
        ("dovecot", (None, None, None)),
    ],
)
def test_relays(relay: str, expected: tuple[str | None, str | None, int | None]) -> None:
    """A relay is a host with an address or a socket's path, or nobody."""
    found = delivery(line(record(relay=relay)))
    assert (found.host, found.address, found.port) == expected


def test_optional_fields() -> None:
    """orig_to, conn_use and tls may stand in their places."""
    found = delivery(
        line(record(orig_to="a.list@example.org", extra=", conn_use=3", tls=", tls=may:none"))
    )
    assert (found.orig_recipient, found.conn_use) == ("a.list@example.org", 3)
    assert found.delays == (0.07, 0.01, 0.6, 0.72)


@pytest.mark.parametrize("tls", ["dane", "may?", "dane/!requiretls:nocertmatch", "none"])
def test_tls_summaries_of_new_versions(tls: str) -> None:
    """The field that Postfix 3.11 brought hides nothing."""
    assert delivery(line(record(tls=f", tls={tls}"))).outcome == "sent"


@pytest.mark.parametrize(
    "place", ["orig_to=<b@example.org>", "relay", "conn_use=2", "delay=", "dsn"]
)
def test_unknown_fields_between_known_ones(place: str) -> None:
    """A field of a future version is skipped wherever it stands."""
    text = record(orig_to="b@example.org", extra=", conn_use=2")
    before, found, after = text.partition(f", {place}")
    assert found
    grown = delivery(line(f"{before}, new_field=some value/1, other=x{found}{after}"))
    assert grown == delivery(line(text))


@pytest.mark.parametrize(
    "address",
    [
        '"a b"@example.net',
        '"x>, relay=evil.example[203.0.113.9]:25"@example.net',
        r'"a\"b>, orig_to=<c"@example.net',
        '""@example.net',
        "",
        "用户@例え.example",
        "user+tag=a,b@example.net",
        "ann@[IPv6:2001:db8::1]",
        "just-local",
    ],
)
def test_addresses(address: str) -> None:
    """Quoted, empty, international and literal addresses end where they end."""
    found = delivery(line(record(to=address, orig_to=address)))
    assert (found.recipient, found.orig_recipient) == (address, address)
    assert found.host == "mx.example.net"


def test_addresses_without_brackets() -> None:
    """Some relays' logs have lost the angle brackets."""
    text = record().replace("<", "").replace(">", "")
    assert delivery(line(text)).recipient == "ann@example.net"


@pytest.mark.parametrize(
    "address", ["a>b@example.net", 'half"quote@example.net', "a b@example.net"]
)
def test_unquoted_addresses_of_old_versions(address: str) -> None:
    """An address printed raw ends where the one record after it begins."""
    assert delivery(line(record(to=address))).recipient == address


def test_an_address_with_two_possible_ends_is_not_guessed() -> None:
    """A raw address that holds a whole record makes the line unparsed, not misread."""
    forged = record("250 ok", to="a>x", relay="evil.example[203.0.113.9]:25")
    text = record(said("550 5.1.1 no"), to=forged[16:], dsn="5.1.1", status="bounced")
    (event,) = events(line(text))
    assert isinstance(event, Unparsed)
    assert "two places" in event.reason


def test_a_record_cut_at_2000_bytes() -> None:
    """A record of 2,000 bytes has lost its end: the reply is kept, the flag is set."""
    text = record(said("554 5.7.1 " + "very long words " * 200), dsn="5.7.1", status="bounced")[
        :2000
    ]
    found = delivery(line(text))
    assert found.cut
    assert found.stage is None
    assert found.reply.startswith("554 5.7.1 very long words")


@pytest.mark.parametrize("keep", range(1, 34))
def test_a_cut_inside_the_note_on_the_command(keep: int) -> None:
    """Whatever is left of "(in reply to …)" does not stick to the reply."""
    whole = said("452 4.3.1 Mail system storage is exceeded", "end of DATA")
    note = " (in reply to end of DATA command)"
    found = delivery(
        line(
            record(whole[: len(whole) - len(note) + keep], dsn="4.3.1", status="deferred", close="")
        )
    )
    assert found.reply == "452 4.3.1 Mail system storage is exceeded"
    assert found.cut is True


@pytest.mark.parametrize(
    ("status", "dsn", "outcome"),
    [
        ("sent", "2.0.0", "sent"),
        ("deferred", "4.2.0", "deferred"),
        ("bounced", "5.1.1", "bounced"),
        ("SOFTBOUNCE", "4.1.1", "deferred"),
        ("deliverable", "2.1.5", "probe"),
        ("undeliverable", "5.1.1", "probe"),
        ("undeliverable-but-not-cached", "5.1.1", "probe"),
        ("brand-new", "4.0.0", "deferred"),
    ],
)
def test_status_words(status: str, dsn: str, outcome: str) -> None:
    """Each status word has its outcome; an unknown one is told by its code."""
    found = delivery(line(record("user unknown", relay="none", dsn=dsn, status=status)))
    assert (found.status, found.outcome) == (status, outcome)


@pytest.mark.parametrize("word", ["expired", "force-expired"])
def test_expired_messages(word: str) -> None:
    """A message that is given up has a line of its own, without recipient."""
    text = f"3A5444167F: from=<ann@example.org>, status={word}, returned to sender"
    found = delivery(line(text, "Nov 23 04:05:06 mx1 postfix/qmgr[9]: "))
    assert (found.outcome, found.status, found.queue_id) == ("expired", word, "3A5444167F")


@pytest.mark.parametrize(
    ("text", "stage", "reply"),
    [
        (said("450 4.2.0 later"), "rcpt", "450 4.2.0 later"),
        (said("421-4.7.0 slow 421 4.7.0 down", "MAIL FROM"), "mail", "421 4.7.0 slow down"),
        ("host mx.example.net[192.0.2.10] refused to talk to me: 554 no", "connect", "554 no"),
    ],
)
def test_a_host_that_refused_while_others_remain(text: str, stage: str, reply: str) -> None:
    """Postfix notes a refusal of a host that was not the last: an attempt without recipient."""
    found = delivery(line(f"3A5444167F: {text}"))
    assert (found.outcome, found.recipient, found.status) == ("tried", "", "")
    assert (found.origin, found.stage, found.reply) == ("remote", stage, reply)
    assert (found.host, found.address) == ("mx.example.net", "192.0.2.10")


def test_a_host_only_speaks_through_smtp() -> None:
    """The same words in another program's line are that program's."""
    text = f"3A5444167F: {said('450 4.2.0 later')}"
    assert events(line(text, "Nov 23 04:05:06 mx1 postfix/cleanup[9]: ")) == []


@pytest.mark.parametrize(
    ("text", "queue_id", "stage"),
    [
        ("connect to mx.example.net[192.0.2.10]:25: Connection refused", "", "connect"),
        ("connect to MX.example.net.[192.0.2.10]:25: Connection timed out", "", "connect"),
        (
            "3A5444167F: lost connection with mx.example.net[192.0.2.10] "
            "while receiving the initial server greeting",
            "3A5444167F",
            "connect",
        ),
        (
            "3A5444167F: conversation with mx.example.net[192.0.2.10] timed out "
            "while sending RCPT TO",
            "3A5444167F",
            "rcpt",
        ),
    ],
)
def test_a_host_that_cannot_be_spoken_with(text: str, queue_id: str, stage: str) -> None:
    """Postfix notes each host that it cannot speak with, whatever becomes of the message."""
    (found,) = events(line(text))
    assert isinstance(found, HostTrouble)
    assert (found.queue_id, found.stage) == (queue_id, stage)
    assert (found.host, found.address) == ("mx.example.net", "192.0.2.10")
    assert found.reply in text
    assert events(line(text, "Nov 23 04:05:06 mx1 postfix/smtpd[9]: ")) == []


def test_removed_messages_come_in_order() -> None:
    """The end of a message is told after its last delivery."""
    gone = line("3A5444167F: removed", "Nov 23 04:05:06 mx1 postfix/qmgr[9]: ")
    first, second, third = events(gone, line(record()), gone)
    assert isinstance(second, Delivery)
    assert first == third == Removed(1_795_406_706.0, "postfix", "3A5444167F")


@pytest.mark.parametrize(
    "text",
    [
        "3A5444167F: to=<ann@example.net>, relay=mx.example.net[192.0.2.10]:25, delay=1.4",
        "3A5444167F: to=<ann@example.net>, status=sent (250 ok)",
        "3A5444167F: to=<ann@example.net",
        "3A5444167F: to=<a@b.example>, relay=none, delay=1, delays=1/0/0/0, dsn=x, status=sent (",
        record(delay="9" * 400),
    ],
)
def test_what_begins_like_a_record_and_is_none_is_counted(text: str) -> None:
    """A line that breaks off becomes `Unparsed`, with the line."""
    (event,) = events(line(text))
    assert isinstance(event, Unparsed)
    assert event.line == line(text).rstrip(b"\n")


@pytest.mark.parametrize(
    "queue_id",
    ["4d0000000A", "3a5444167f", "3A54", "4F3Tqk3Lr4z9vVaeiou", "4" * 31, "u5TJ0abc012345"],
)
def test_queue_ids_of_no_postfix_are_counted(queue_id: str) -> None:
    """Postfix's ids are upper-case hexadecimal or without vowels; all others are told."""
    (event,) = events(line(record(queue_id=queue_id)))
    assert isinstance(event, Unparsed)
    assert "queue id" in event.reason


@pytest.mark.parametrize(
    "text",
    [
        "connect from unknown[203.0.113.9]",
        "warning: to=<ann@example.net>, relay=none",
        "3A5444167F: from=<ann@example.org>, size=1832, nrcpt=1 (queue active)",
        "3A5444167F: message-id=<20261123.1@example.org>",
        "3A5444167F: sender non-delivery notification: 3B00000009",
        "NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 450 x; from=<a@b> to=<c@d> helo=<e>",
        "connect to subsystem private/bounce",
        "lost connection after RCPT from unknown[203.0.113.9]",
        "warning: 3A5444167F: non-ESMTP response from mx.example.net[192.0.2.10]:25: hello",
    ],
)
def test_other_lines_tell_nothing(text: str) -> None:
    """Lines that are no delivery are neither events nor unparsed."""
    assert events(line(text)) == []
