"""Every wrapping of log lines is found and taken off, line by line."""

from __future__ import annotations

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.auto import AutoParser
from logparse.events import Delivery, Event
from logparse.fields import journal_line
from logparse.wrapping import unwrap
from tests.logparse.postfix_lines import NOW, record, said

TEXT = record(said("450 4.2.1 later"), dsn="4.2.1", status="deferred")
TIME = 1_770_088_506.0  # 2026-02-03 03:15:06 UTC
STAMP = "2026-02-03T04:15:06"
MICROSECONDS = str(int(TIME * 1_000_000))

JOURNAL = {
    "__CURSOR": "s=1;i=2",
    "__REALTIME_TIMESTAMP": MICROSECONDS,
    "_HOSTNAME": "mx1",
    "SYSLOG_IDENTIFIER": "postfix/smtp",
    "SYSLOG_PID": "4711",
    "PRIORITY": "6",
    "MESSAGE": TEXT,
}


def export(fields: dict[str, str], binary: tuple[str, ...] = ()) -> bytes:
    """An entry as `journalctl -o export` writes it."""
    out = b""
    for name, value in fields.items():
        data = value.encode()
        if name in binary:
            out += name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
        else:
            out += name.encode() + b"=" + data + b"\n"
    return out + b"\n"


def docker(log: str, stream: str = "stdout") -> str:
    return json.dumps({"log": log, "stream": stream, "time": "2026-02-03T03:15:06.000000000Z"})


SHAPES = {
    "rfc3164": f"Feb  3 03:15:06 mx1 postfix/smtp[4711]: {TEXT}\n",
    "rfc3164 zero": f"Feb 03 03:15:06 mx1 postfix/smtp[4711]: {TEXT}\n",
    "rfc3164 forwarded": f"<22>Feb  3 03:15:06 mx1 postfix/smtp[4711]: {TEXT}\n",
    "rfc3339": f"{STAMP}.000000+01:00 mx1 postfix/smtp[4711]: {TEXT}\n",
    "rfc3339 without colon": f"{STAMP}+0100 mx1 postfix/smtp[4711]: {TEXT}\n",
    "rfc3339 utc": f"2026-02-03T03:15:06Z mx1 postfix/smtp[4711]: {TEXT}\n",
    "rfc5424": f"<22>1 {STAMP}.000000+01:00 mx1 postfix/smtp 4711 - - {TEXT}\n",
    "rfc5424 with data": (
        f'<22>1 {STAMP}+01:00 mx1 postfix/smtp 4711 ID1 [x@1 a="]\\"b"][y] {TEXT}\n'
    ),
    "rfc5424 with mark": f"<22>1 {STAMP}+01:00 mx1 postfix/smtp 4711 - - \ufeff{TEXT}\n",
    "journald json": json.dumps(JOURNAL) + "\n",
    "journald json bytes": json.dumps(JOURNAL | {"MESSAGE": list(TEXT.encode())}) + "\n",
    "journald json repeated": json.dumps(JOURNAL | {"SYSLOG_PID": ["4711", "12"]}) + "\n",
    "docker": docker(f"Feb 03 04:15:06 mx1 postfix/smtp[4711]: {TEXT}\n") + "\n",
    "docker without stamp": docker(f"postfix/smtp[4711]: {TEXT}\n") + "\n",
    "docker in pieces": docker(f"Feb 03 04:15:06 mx1 postfix/smtp[4711]: {TEXT[:40]}")
    + "\n"
    + docker(TEXT[40:60])
    + "\n"
    + docker(TEXT[60:] + "\n")
    + "\n",
    "cri": (
        f"2026-02-03T03:15:06.000000000Z stdout F Feb 03 04:15:06 mx1 postfix/smtp[4711]: {TEXT}\n"
    ),
    "cri in pieces": (
        "2026-02-03T03:15:06.000000000Z stdout P "
        f"Feb 03 04:15:06 mx1 postfix/smtp[4711]: {TEXT[:50]}\n"
        f"2026-02-03T03:15:06.000000000Z stdout F {TEXT[50:]}\n"
    ),
    "compose": f"mail-1  | Feb 03 03:15:06 mx1 postfix/smtp[4711]: {TEXT}\n",
}
# the text does not stand in one piece in the log
SPREAD = ("docker in pieces", "cri in pieces", "journald json bytes")
BLOCKS = {name: text.encode() for name, text in SHAPES.items()} | {
    "journald export": export(JOURNAL),
    "journald export binary": export(JOURNAL, ("MESSAGE",)),
    "journald export beside binary": export(
        JOURNAL | {"OTHER": "a\n\nMESSAGE=forged\nSYSLOG_IDENTIFIER=x\n"}, ("OTHER",)
    ),
}


def feed(*blocks: bytes) -> list[Event]:
    parser = AutoParser(UTC)
    return [event for block in blocks for event in parser.feed(block, NOW)]


def the_delivery(events: list[Event]) -> Delivery:
    (event,) = events
    assert isinstance(event, Delivery), event
    return event


EXPECTED = the_delivery(feed(BLOCKS["rfc3164"]))


def test_the_expected_value_is_what_it_should_be() -> None:
    """The value all shapes are compared with is right."""
    assert (EXPECTED.time, EXPECTED.service, EXPECTED.pid) == (TIME, "postfix/smtp", 4711)
    assert (EXPECTED.recipient, EXPECTED.stage) == ("ann@example.net", "rcpt")


@pytest.mark.parametrize("shape", BLOCKS)
def test_every_shape_gives_the_same_value(shape: str) -> None:
    """Stamp, program, process and text come through any wrapping."""
    assert the_delivery(feed(BLOCKS[shape])) == EXPECTED


def test_shapes_are_found_line_by_line() -> None:
    """All shapes may stand in one block, in any order."""
    together = b"".join(BLOCKS.values())
    assert feed(together) == [EXPECTED] * len(BLOCKS)
    assert feed(b"".join(reversed(BLOCKS.values()))) == [EXPECTED] * len(BLOCKS)


@pytest.mark.parametrize("shape", [name for name in SHAPES if name not in SPREAD])
def test_a_lonely_line_of_another_shape_in_a_large_block(shape: str) -> None:
    """A wrapped line is found in the middle of many plain ones too."""
    plain = b"Feb  3 03:15:06 mx1 postfix/qmgr[9]: 3A5444167F: from=<a@b>, size=1\n" * 1000
    assert feed(plain + BLOCKS[shape] + plain) == [EXPECTED]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "3A5444167F: removed",
        "3A5444167F: from=<a@b>, status=expired, returned to sender",
        f"3A5444167F: {said('450 4.2.0 later')}",
    ],
)
def test_nothing_that_tells_is_taken_for_dull(text: str) -> None:
    """Every kind of event comes through the wrappings that are only looked at if it may pay."""
    plain = f"2026-02-03T03:15:06.000000Z mx1 postfix/smtp[4711]: {text}\n".encode()
    fields = JOURNAL | {"MESSAGE": text}
    wrapped = (export(fields), json.dumps(fields).encode() + b"\n")
    container = docker(f"Feb 03 04:15:06 mx1 postfix/smtp[4711]: {text}\n").encode() + b"\n"
    for block in (*wrapped, container):
        assert feed(block) == feed(plain) != []


@pytest.mark.parametrize("shape", BLOCKS)
def test_blocks_may_end_anywhere_between_lines(shape: str) -> None:
    """An entry or a long line that is spread over blocks waits for its end."""
    block = BLOCKS[shape]
    ends = [at + 1 for at, byte in enumerate(block) if byte == 10]
    for end in ends[:-1]:
        assert feed(block[:end], block[end:]) == [EXPECTED]


def test_what_waits_survives_a_restart() -> None:
    """The snapshot holds the unfinished part."""
    block = BLOCKS["journald export"]
    end = block.index(b"\n", 40) + 1
    first = AutoParser(UTC)
    assert first.feed(block[:end], NOW) == []
    second = AutoParser(UTC)
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert second.feed(block[end:], NOW) == [EXPECTED]


def test_no_text_poses_as_a_line() -> None:
    """A line break inside a wrapped text does not begin a line."""
    fake = f"x\nFeb  3 03:15:06 mx1 postfix/smtp[4711]: {TEXT}"
    assert feed(json.dumps(JOURNAL | {"MESSAGE": fake}).encode() + b"\n") == []
    assert feed(export(JOURNAL | {"MESSAGE": fake}, ("MESSAGE",))) == []
    assert feed(docker(f"Feb 03 04:15:06 mx1 postfix/smtpd[1]: {fake}\n").encode() + b"\n") == []
    name = {"SYSLOG_IDENTIFIER": f"x\n{fake}", "MESSAGE": "m"}
    assert feed(export(JOURNAL | name, ("SYSLOG_IDENTIFIER",))) == []


@pytest.mark.parametrize("line", [b"A=b\n", b"MESSAGE=x\n", b"MESSAGE\n", b"PATH\n", b"{\n"])
def test_a_line_like_a_field_swallows_nothing(line: bytes) -> None:
    """Only a journal's own addresses begin an entry; what follows another field is read."""
    assert feed(line + BLOCKS["rfc3164"]) == [EXPECTED]
    assert feed(BLOCKS["docker"] + line + BLOCKS["rfc3164"]) == [EXPECTED] * 2


def test_a_line_like_an_entry_is_given_up_wherever_a_block_ends() -> None:
    """What begins like a journal entry and goes on otherwise hides nothing behind it."""
    record = BLOCKS["rfc3164"]
    for tail in (b"", b"\n", b"PRIORITY=6\n\n", b"MESSAGE\n"):
        text = b"MESSAGE\n__CURSOR=x\n" + record + tail + record
        ends = [at + 1 for at, byte in enumerate(text) if byte == 10]
        for end in ends:
            assert feed(text[:end], text[end:]) == [EXPECTED] * 2, (tail, end)


def test_no_blank_line_in_a_value_ends_an_entry() -> None:
    """Behind a dull beginning a value told by its length cannot pose as lines."""
    fake = f"=postfix hello\n\nFeb  3 03:15:06 mx1 postfix/smtp[4711]: {TEXT}"
    assert feed(export(JOURNAL | {"MESSAGE": fake}, ("MESSAGE",))) == []


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{}",
        b"[1]",
        b'{"log": 1}',
        b'{"MESSAGE": null}',
        b'{"MESSAGE": [1, "x", null]}',
        b'{"MESSAGE": "\\ud800", "SYSLOG_IDENTIFIER": "a b[1]", "__REALTIME_TIMESTAMP": "9"}',
        b'{"log": "\\udc00", "time": 3}',
        b"<22>1 - - - - - -",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_broken_wrappings_stay_lines(line: bytes) -> None:
    """What only looks wrapped raises nothing."""
    unwrap(line)
    assert feed(line + b"\n") == []


def test_a_journal_entry_without_program_has_no_frame() -> None:
    """An entry that names no program is only its message."""
    assert journal_line({b"MESSAGE": b"hello\nworld"}) == b"hello world"
    far = {b"SYSLOG_IDENTIFIER": b"x", b"__REALTIME_TIMESTAMP": b"9" * 30, b"MESSAGE": b"m"}
    assert journal_line(far).startswith(b"1970-")


@given(data=st.binary(max_size=300), cut=st.integers(0, 300))
def test_no_bytes_raise(data: bytes, cut: int) -> None:
    """Any bytes may come, in blocks cut anywhere."""
    feed(data[:cut], data[cut:])


@given(
    chunks=st.lists(st.sampled_from(sorted(BLOCKS.values())), max_size=6),
    junk=st.lists(
        st.sampled_from([b"\n", b"FIELD=x\n", b"{\n", b"BIN\n\x03", b"x | y\n"]), max_size=4
    ),
)
def test_junk_between_shapes_raises_nothing(chunks: list[bytes], junk: list[bytes]) -> None:
    """Broken pieces between good ones may cost good ones, never more."""
    parts = [part for pair in zip(chunks, [*junk, *[b""] * 6], strict=False) for part in pair]
    assert len(feed(b"".join(parts))) <= len(chunks)
