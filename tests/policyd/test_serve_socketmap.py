"""The socketmap server without a socket: framing, routing, the answers when all goes wrong."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.serve.later import Later
from policyd.serve.netstring import NetstringReader, encode
from policyd.serve.session import Session
from policyd.serve.socketmap import SocketmapEndpoint
from tests.policyd.serve_parts import READ_SIZES, Loop, Wire, cut, send, talk

NOTFOUND = b"9:NOTFOUND ,"


def mx(key: bytes, session: Session, pool: str) -> bytes:
    """A map with a few keys; others are missing, some break."""
    if key == b"raise":
        raise RuntimeError("inside")
    odd = {
        b"temp": b"TEMP try later",
        b"perm": b"PERM no",
        b"none": b"",
        b"huge": b"OK " + b"x" * 100_001,
        b"hold": b"OK IGNORE",
        b"pool": b"OK " + pool.encode(),
    }
    return odd.get(key, b"NOTFOUND ")


def endpoint(**changed: object) -> SocketmapEndpoint:
    return SocketmapEndpoint({"mx": mx}, clock=lambda: 0.0, **changed)  # type: ignore[arg-type]


def drain(reader: NetstringReader, data: bytes) -> list[bytes]:
    """Feed it, and take all that is complete."""
    reader.feed(data)
    return list(iter(reader.take, None))


CASES = [
    pytest.param(b"mx hold", b"9:OK IGNORE,", id="found"),
    pytest.param(b"mx other", NOTFOUND, id="not-found"),
    pytest.param(b"mx *", NOTFOUND, id="wildcard"),
    pytest.param(b"mx/two pool", b"6:OK two,", id="pool"),
    pytest.param(b"mx/ pool", b"3:OK ,", id="empty-pool"),
    pytest.param(b"mx", NOTFOUND, id="no-key"),
    pytest.param(b"mx a b  c", NOTFOUND, id="key-with-blanks"),
    pytest.param(b"other hold", NOTFOUND, id="no-such-map"),
    pytest.param(b"", NOTFOUND, id="empty"),
    pytest.param(b"mx raise", NOTFOUND, id="handler-raises"),
    pytest.param(b"mx temp", NOTFOUND, id="temp-is-not-passed-on"),
    pytest.param(b"mx perm", NOTFOUND, id="perm-is-not-passed-on"),
    pytest.param(b"mx none", NOTFOUND, id="handler-says-nothing"),
    pytest.param(b"mx huge", NOTFOUND, id="answer-too-large-for-postfix"),
    pytest.param(b"mx \xff\x00\r\n", NOTFOUND, id="bytes"),
    pytest.param(b"mx " + b"k" * 9_997, NOTFOUND, id="longest"),
]


@pytest.mark.parametrize("size", READ_SIZES)
@pytest.mark.parametrize(("request_", "answer"), CASES)
def test_every_request_is_answered_whatever_the_read_size(
    request_: bytes, answer: bytes, size: int
) -> None:
    """A request gets the same answer in one piece and byte by byte, alone and pipelined."""
    alone = talk(endpoint(), cut(encode(request_), size))
    piped = talk(endpoint(), cut(encode(request_) * 3, size))
    assert (alone.sent, piped.sent) == (answer, answer * 3)
    assert not alone.closed


@pytest.mark.parametrize("size", READ_SIZES)
@pytest.mark.parametrize(
    "garbage",
    [b"x", b"-1:a,", b"01:a,", b"5:hello;", b":", b"GET / HTTP/1.1\r\n\r\n", b"10001:", b"123456",
     b"99999999999:", b" 1:a,", b"1 :a,", b"\x00" * 9, "٣:abc,".encode()],
)  # fmt: skip
def test_what_is_no_netstring_ends_the_connection(garbage: bytes, size: int) -> None:
    """Hostile bytes close the connection, after the questions before them were answered."""
    served = endpoint()
    wire = talk(served, cut(encode(b"mx hold") + garbage + encode(b"mx hold"), size))
    assert wire.closed
    assert wire.sent == b"9:OK IGNORE,"
    assert served.counts.faults["framing"] == 1


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=40))
def test_any_bytes_cut_anywhere_get_the_same_answers(stream: bytes, sizes: list[int]) -> None:
    """How a stream is cut into reads never changes what is answered."""
    whole = talk(endpoint(), [stream] if stream else [])
    pieces, at = [], 0
    for size in sizes:
        pieces.append(stream[at : at + size])
        at += size
    pieces.append(stream[at:])
    parts = talk(endpoint(), [piece for piece in pieces if piece])
    assert (whole.sent, whole.closed) == (parts.sent, parts.closed)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 60))
def test_the_reader_gives_back_what_was_encoded(payloads: list[bytes], size: int) -> None:
    """Encoding and reading are inverse, and nothing stays behind."""
    reader = NetstringReader(50)
    found = [
        one for piece in cut(b"".join(map(encode, payloads)), size) for one in drain(reader, piece)
    ]
    assert found == payloads
    assert reader.pending == 0


@given(
    st.one_of(
        st.binary(max_size=30),
        st.binary(max_size=1100).map(encode),
        st.tuples(st.binary(max_size=120).map(encode), st.binary(max_size=3)).map(b"".join),
        st.tuples(st.integers(0, 120), st.binary(max_size=120)).map(lambda t: b"%d:%b," % t),
    ),
    st.sampled_from((9, 20, 100, 1000, 10_000)),
)
def test_the_short_way_takes_only_what_the_long_way_would(data: bytes, limit: int) -> None:
    """A read that is one whole frame gives the same string either way; no other is taken."""
    single, reader = NetstringReader(limit).one(data), NetstringReader(limit)
    found = drain(reader, data)
    if single is not None:
        assert (found, reader.pending, reader.fault) == ([single], 0, None)
    elif found and reader.fault is None and not reader.pending:
        assert len(found) > 1 or len(data) > 1000  # a short frame alone takes the short way


@given(st.binary(max_size=5000))
def test_the_reader_never_holds_more_than_one_request(stream: bytes) -> None:
    """Memory per connection is bounded by the longest allowed request."""
    reader = NetstringReader(100)
    for piece in cut(stream, 7):
        drain(reader, piece)
        assert reader.pending <= 100 + 4 + 1


def test_a_wildcard_never_reaches_a_map() -> None:
    """Postfix asks for `*` on its own; no handler hears of it."""
    heard: list[bytes] = []

    def listen(key: bytes, session: Session, pool: str) -> bytes:
        heard.append(key)
        return b"OK x"

    served = SocketmapEndpoint({"transport": listen}, clock=lambda: 0.0)
    wire = talk(served, [encode(b"transport *"), encode(b"transport a@b")])
    assert (wire.sent, heard) == (NOTFOUND + b"4:OK x,", [b"a@b"])


def test_temp_is_passed_on_only_where_it_is_configured() -> None:
    """`may_fail` lets a map stop mail, nothing else does."""
    assert talk(endpoint(may_fail=True), [encode(b"mx temp")]).sent == encode(b"TEMP try later")


def test_answers_and_faults_are_counted_by_map_and_kind() -> None:
    """What was answered, and each kind of trouble, has a counter."""
    served = endpoint()
    for key in (b"mx hold", b"mx *", b"mx x", b"mx raise", b"mx temp", b"nomap x"):
        talk(served, [encode(key)])
    assert dict(served.counts.answers) == {("mx", "OK"): 1, ("mx", "NOTFOUND"): 2}
    assert dict(served.counts.faults) == {"handler": 1, "answer": 1, "map": 1}
    assert (served.counts.opened, served.counts.connections) == (6, 0)


def test_map_names_of_a_stranger_fill_no_table() -> None:
    """Endless pools and map names leave the table of routes bounded."""
    served = endpoint()
    talk(served, [encode(b"mx/%d k" % number) for number in range(1000)])
    talk(served, [encode(b"no%d k" % number) for number in range(1000)])
    assert len(served._routes) <= 256


def test_trouble_is_logged_without_flooding_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Of each kind of fault one line is written, then one a pause with the number left out."""
    time = 0.0
    served = SocketmapEndpoint({"mx": mx}, clock=lambda: time)
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            talk(served, [b"garbage"])
        time = 11.0
        talk(served, [b"garbage"])
    assert len(caplog.records) == 2
    assert "999 more" in caplog.records[1].getMessage()


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """Back-pressure: while answers pile up, questions wait in the kernel."""
    served = endpoint()
    protocol = served.protocol()
    wire = Wire()
    protocol.connection_made(wire)
    protocol.pause_writing()
    assert not wire.reading
    protocol.resume_writing()
    assert wire.reading


def test_one_connection_too_many_is_closed_and_the_others_stay() -> None:
    """The cap refuses new connections; nobody who is being served loses theirs."""
    served = endpoint(max_connections=2)
    wires = [Wire() for _ in range(3)]
    for wire in wires:
        protocol = served.protocol()
        protocol.connection_made(wire)
        if not wire.closed:
            send(protocol, encode(b"mx x"))
    assert [wire.aborted for wire in wires] == [False, False, True]
    assert served.counts.faults["connections"] == 1


def test_each_connection_has_a_memory_of_its_own_and_its_end_is_told() -> None:
    """A session belongs to one connection; when that ends, whoever asked for it hears so."""
    ended: list[object] = []

    def remember(key: bytes, session: Session, pool: str) -> bytes:
        session.memory = (session.memory or b"") + key
        return b"OK " + session.memory

    served = SocketmapEndpoint(
        {"mx": remember}, clock=lambda: 0.0, closed=lambda session: ended.append(session.memory)
    )
    first = talk(served, [encode(b"mx a"), encode(b"mx b")])
    second = talk(served, [encode(b"mx c")])
    assert first.sent == encode(b"OK a") + encode(b"OK ab")
    assert second.sent == encode(b"OK c")
    assert ended == [b"ab", b"c"]


class Slow:
    """A map whose answers come when the test says so, but for keys that begin with "now"."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Later]] = []
        self.left: list[Session] = []
        self.loop = Loop()
        self.served = SocketmapEndpoint(
            {"mx": self.ask}, clock=lambda: 0.0, closed=self.left.append, turns=self.loop.turns
        )
        self.wire = Wire()
        self.protocol = self.served.protocol()
        self.protocol.connection_made(self.wire)

    def ask(self, key: bytes, session: Session, pool: str) -> bytes | Later:
        if key.startswith(b"now"):
            return b"OK " + key
        self.asked.append((key, Later()))
        return self.asked[-1][1]

    def hear(self, *keys: bytes) -> None:
        send(self.protocol, b"".join(encode(b"mx " + key) for key in keys))
        self.loop.run()

    def come(self, number: int, answer: bytes) -> None:
        """One of the answers is there."""
        self.asked[number][1].come(answer)
        self.loop.run()


def test_an_answer_may_come_later() -> None:
    """Nothing is sent until it is there; then it is framed, checked and counted like any other."""
    slow = Slow()
    for answer, framed in ((b"OK IGNORE", b"9:OK IGNORE,"), (b"NOTFOUND ", NOTFOUND)):
        slow.hear(b"x")
        before = slow.wire.sent
        slow.come(-1, answer)
        assert slow.wire.sent == before + framed
    slow.hear(b"x")
    slow.come(-1, b"PERM no")
    assert slow.wire.sent == b"9:OK IGNORE," + NOTFOUND * 2
    assert slow.served.counts.answers == {("mx", "OK"): 1, ("mx", "NOTFOUND"): 1}
    assert slow.served.counts.faults["answer"] == 1


@given(st.lists(st.sampled_from([b"now1", b"now2", b"later"]), max_size=12), st.integers(1, 6))
def test_pipelined_questions_are_answered_in_their_order(keys: list[bytes], size: int) -> None:
    """However questions are cut into reads, and whichever wait: answers come as was asked."""
    slow = Slow()
    for at in range(0, len(keys), size):
        slow.hear(*keys[at : at + size])
    done = 0
    while done < len(slow.asked):
        slow.come(done, b"OK later")
        done += 1
    assert slow.wire.sent == b"".join(encode(b"OK " + key) for key in keys)
    assert slow.wire.reading


def test_a_client_that_waits_and_asks_on_is_not_read_from() -> None:
    """Its memory is bounded; what it sent is answered when the answer before is there."""
    slow = Slow()
    slow.hear(b"later")
    assert slow.wire.reading  # else nobody would see it go away
    slow.hear(b"now")
    assert not slow.wire.reading
    slow.come(0, b"OK later")
    assert slow.wire.sent == b"8:OK later,6:OK now,"
    assert slow.wire.reading


def test_garbage_behind_a_question_that_waits_ends_the_connection_after_its_answer() -> None:
    """The answers before the fault are sent first, as always."""
    slow = Slow()
    slow.hear(b"later")
    send(slow.protocol, encode(b"mx now") + b"x")
    assert not slow.wire.closed
    slow.come(0, b"OK later")
    assert slow.wire.sent == b"8:OK later,6:OK now,"
    assert slow.wire.closed


def test_who_closes_a_connection_is_told_of() -> None:
    """A client that goes away while it waits is not kept a place for."""
    slow = Slow()
    slow.hear(b"later")
    slow.protocol.connection_lost(None)
    assert slow.left == [slow.protocol.session]
