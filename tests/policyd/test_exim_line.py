"""Exim's line protocol: the vectors of docs/exim.md, however a stream is cut, whatever is sent."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.serve.accept import Acceptor
from policyd.serve.eximline import LONGEST, LineReader, Question, read
from policyd.serve.later import Later
from policyd.serve.readsocket import GO, HOLD, EximHandler, ReadsocketEndpoint
from policyd.serve.session import Session

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "exim.md"
VECTORS = re.findall(r"^\| `([^`\n]*)` \| ((?:hold|rcpt), .*|no question) \|$",
                     DOCUMENT.read_text("utf-8"), re.M)  # fmt: skip
QUESTION = b"hold 1xXHrT-0007Ig-2A d1.test 10 mx.big.test"


def told(question: Question | None) -> str:
    """A question in the document's words."""
    if question is None:
        return "no question"
    words = [question.verb, question.message, question.domain.decode()]
    words += [f"{rank} {host.decode()}" for rank, host in question.hosts]
    words += ["takes no mail"] if question.none else []
    more = [f"from {question.sender.decode()}"] if question.sender else []
    more += [f"pool {question.pool}"] if question.pool else []
    more += [f"wait {question.wait:g}"] if question.wait else []
    return "; ".join([", ".join(filter(None, words)), *more])


@pytest.mark.parametrize(("line", "meaning"), VECTORS)
def test_the_vectors_of_the_document(line: str, meaning: str) -> None:
    """Each line is read as the document says."""
    assert told(read(line.encode())) == meaning


def test_the_document_has_vectors_of_both_kinds() -> None:
    """They were found."""
    assert len([one for one in VECTORS if one[1] == "no question"]) >= 8
    assert len(VECTORS) >= 16


@given(st.binary(max_size=300))
def test_whatever_a_line_holds_it_is_read_or_refused(line: bytes) -> None:
    """Reading never raises, and what it gives is bounded."""
    question = read(b"hold 1xXHrT-0007Ig-2A " + line)
    if question is not None:
        assert len(question.domain) <= 255
        assert len(question.hosts) <= 64


LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=6)


@given(LINES, st.data())
def test_where_a_stream_is_cut_makes_no_difference(lines: list[bytes], data: st.DataObject) -> None:
    """Each line comes out whole and in order, at any cut."""
    stream = b"".join(line + b"\n" for line in lines)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    reader, found = LineReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        piece = stream[start:end]
        if (single := reader.one(piece)) is not None:
            found.append(single)
            continue
        reader.feed(piece)
        while (line := reader.take()) is not None:
            found.append(line)
    assert found == lines


def test_each_byte_by_itself() -> None:
    """A question that comes byte by byte is one question."""
    reader = LineReader()
    for byte in QUESTION + b"\n":
        assert reader.take() is None
        reader.feed(bytes([byte]))
    assert reader.take() == QUESTION


def test_a_line_without_an_end_is_a_fault() -> None:
    """What is longer than any question is not collected."""
    reader = LineReader()
    reader.feed(b"x" * (LONGEST + 1))
    assert reader.take() is None
    assert reader.fault is not None
    assert reader.pending == 0


async def _asked(handler: EximHandler, *pieces: bytes, eof: bool = True) -> bytes:
    """What a client that sends these pieces reads until the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    endpoint = ReadsocketEndpoint(handler, clock=lambda: 0.0)
    acceptor = Acceptor(listener, endpoint.protocol)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if eof:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:  # what was sent beyond a fault is not read
        return b""
    finally:
        writer.close()
        acceptor.close()
        endpoint.close()


def test_the_answer_ends_with_the_connection() -> None:
    """One question, one word, the end, whether or not the client closes its side first."""
    for eof in (True, False):
        answer = asyncio.run(_asked(lambda question, session: HOLD, QUESTION + b"\n", eof=eof))
        assert answer == b"hold"


def test_an_answer_that_comes_later_is_waited_for() -> None:
    """Exim has closed its side by then."""

    async def run() -> bytes:
        later = Later()
        asyncio.get_running_loop().call_later(0.05, later.come, HOLD)
        return await _asked(lambda question, session: later, QUESTION + b"\n")

    assert asyncio.run(run()) == b"hold"


def _raise(question: Question, session: Session) -> bytes:
    raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize(
    ("handler", "line"),
    [
        (_raise, QUESTION),
        (lambda question, session: b"hold\n", QUESTION),
        (lambda question, session: b"|/bin/sh", QUESTION),
        (lambda question, session: HOLD, b"nonsense"),
        (lambda question, session: HOLD, b"\xff\xfe\x00"),
        (lambda question, session: HOLD, b""),
    ],
)
def test_what_goes_wrong_lets_mail_go(handler: EximHandler, line: bytes) -> None:
    """A mistake, an answer that is none, a question that is none: go."""
    assert asyncio.run(_asked(handler, line + b"\n")) == GO


def test_no_end_of_line_is_no_question() -> None:
    """Who goes away in the middle gets nothing."""
    assert asyncio.run(_asked(lambda question, session: HOLD, QUESTION)) == b""
    assert asyncio.run(_asked(lambda question, session: HOLD, b"x" * 20_000)) == b""
