"""The policy server without a socket: framing, attributes, and failing open."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policyd.serve.policy import DUNNO, PolicyEndpoint, Request
from policyd.serve.session import Session
from tests.policyd.serve_parts import READ_SIZES, Wire, cut, handler, send, talk

# as Postfix 3.7 sends it, in its order
RCPT = (
    b"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
    b"client_address=192.0.2.1\nclient_name=client.example\nclient_port=40000\n"
    b"reverse_client_name=client.example\nserver_address=192.0.2.2\nserver_port=25\n"
    b"helo_name=client.example\nsender=alice@example.org\nrecipient=bob@example.net\n"
    b"recipient_count=0\nqueue_id=\ninstance=4711.5fb8.1234.0\nsize=1234\netrn_domain=\n"
    b"stress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
    b"ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\n"
    b"encryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n"
)


def echo(request: Request, session: Session) -> bytes:
    """An answer that shows what was understood."""
    return b"WARN " + (request.get(b"recipient") or b"none")


def endpoint(answer: bytes | Exception | None = None) -> PolicyEndpoint:
    return PolicyEndpoint(echo if answer is None else handler(answer), clock=lambda: 0.0)


REQUESTS = [
    pytest.param(RCPT, b"bob@example.net", id="postfix"),
    pytest.param(b"recipient=a@b\n\n", b"a@b", id="one-attribute"),
    pytest.param(b"request=smtpd_access_policy\n\n", b"none", id="no-recipient"),
    pytest.param(b"recipient=\nx=y\n\n", b"none", id="empty-value"),
    pytest.param(b"x=recipient=no\nrecipient=yes@d\n\n", b"yes@d", id="name-inside-a-value"),
    pytest.param(b"xrecipient=no\nrecipient=yes@d\n\n", b"yes@d", id="longer-name"),
    pytest.param(b"recipient=first\nrecipient=second\n\n", b"first", id="repeated"),
    pytest.param(b"recipient=a=b@c\n\n", b"a=b@c", id="equals-sign-in-a-value"),
    pytest.param(b"garbage\nrecipient=a@b\n\n", b"a@b", id="line-without-a-sign"),
    pytest.param(b"recipient=" + b"l" * 9000 + b"@d\n\n", b"l" * 9000 + b"@d", id="long"),
]


@pytest.mark.parametrize("size", READ_SIZES)
@pytest.mark.parametrize(("request_", "recipient"), REQUESTS)
def test_every_request_is_answered_whatever_the_read_size(
    request_: bytes, recipient: bytes, size: int
) -> None:
    """A request gets the same answer in one piece and byte by byte, alone and pipelined."""
    answer = b"action=WARN " + recipient + b"\n\n"
    alone = talk(endpoint(), cut(request_, size))
    piped = talk(endpoint(), cut(request_ * 3, size))
    assert (alone.sent, piped.sent) == (answer, answer * 3)
    assert not alone.closed


@pytest.mark.parametrize("size", READ_SIZES)
def test_lines_may_end_as_in_mail(size: int) -> None:
    """CRLF, as from telnet, is understood and is no part of a value."""
    asked = RCPT.replace(b"\n", b"\r\n")
    mixed = talk(endpoint(), cut(asked + RCPT + asked, size))
    assert mixed.sent == b"action=WARN bob@example.net\n\n" * 3
    assert not mixed.closed


@pytest.mark.parametrize("size", READ_SIZES)
@pytest.mark.parametrize(
    "garbage",
    [b"\n", b"\r\n", b"\n\n\n\n", b"a=\0\n\n", b"x" * 65_537 + b"\n\n", b"x" * 70_000],
    ids=["blank", "crlf-blank", "blanks", "nul", "too-long", "endless"],
)
def test_what_is_no_request_ends_the_connection(garbage: bytes, size: int) -> None:
    """Hostile bytes close the connection, after the requests before them were answered."""
    served = endpoint()
    wire = talk(served, cut(RCPT + garbage, size))
    assert wire.closed
    assert wire.sent == b"action=WARN bob@example.net\n\n"
    assert served.counts.faults["framing"] == 1


@given(
    st.lists(
        st.sampled_from([b"a=b\n", b"recipient=x@y\r\n", b"\n", b"\r\n", b"\r", b"\0", b"z", b"="]),
        max_size=30,
    ),
    st.integers(1, 12),
)
@example([b"\n", b"a=b\n", b"\n"], 1)
def test_any_bytes_cut_anywhere_get_the_same_answers(parts: list[bytes], size: int) -> None:
    """How a stream is cut into reads never changes what is answered."""
    stream = b"".join(parts)
    whole = talk(endpoint(), [stream] if stream else [])
    pieces = talk(endpoint(), cut(stream, size))
    assert (whole.sent, whole.closed) == (pieces.sent, pieces.closed)


@pytest.mark.parametrize(
    "answer",
    [
        DUNNO,
        b"DEFER_IF_PERMIT 4.7.1 google takes no mail from here at the moment; retry=00:05:00",
        b"REJECT 5.7.1 closed",
        b"HOLD",
        b"FILTER slow:[127.0.0.1]:10025",
        b"PREPEND X-Lane: google",
        b"450 4.7.1 later",
    ],
)
def test_an_action_we_use_is_passed_on(answer: bytes) -> None:
    """The actions this program knows reach Postfix as they are."""
    assert talk(endpoint(answer), [RCPT]).sent == b"action=" + answer + b"\n\n"


@pytest.mark.parametrize(
    "answer",
    [b"OK", b"RELAY", b"permit", b"550", b"", b"DUNNO\n\naction=OK", b"REJECT a\0b", b"BCC a@b",
     b"permit_mynetworks, reject", b"WARN \xff\xfe", b"421", b"PREPEND no header", b"FILTER slow",
     RuntimeError("inside"), ValueError()],
)  # fmt: skip
def test_what_would_permit_or_break_becomes_dunno(answer: bytes | Exception) -> None:
    """No handler can make the service say OK, split an answer, or stop mail by raising."""
    served = endpoint(answer)
    assert talk(served, [RCPT]).sent == b"action=DUNNO\n\n"
    assert sum(served.counts.faults.values()) == 1


def test_attributes_are_all_there_for_who_wants_them() -> None:
    """The slow way sees every attribute, the first of a repeated one."""
    found = Request(RCPT[:-1]).attributes()
    assert found[b"request"] == b"smtpd_access_policy"
    assert found[b"instance"] == b"4711.5fb8.1234.0"
    assert len(found) == 29


def test_an_idle_connection_is_never_closed_by_us() -> None:
    """Nothing in the protocol runs on a timer: only the client, or garbage, ends a connection."""
    served = endpoint()
    protocol, wire = served.protocol(), Wire()
    protocol.connection_made(wire)
    send(protocol, RCPT)
    assert not wire.closed
    assert served.counts.connections == 1
