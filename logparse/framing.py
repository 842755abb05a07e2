"""The frame around a log line's text: stamp, host, program, process id.

Contract: `FRAME` is the pattern (bytes, three groups: stamp, program, pid) of the syslog shapes in
which the text stands unchanged: RFC 3164 and postlogd (``Feb  3 04:05:06 mx1 postfix/smtp[1]: ``),
RFC 3339 (``2026-02-03T04:05:06.123456+01:00 mx1 …``), both with an optional ``<22>`` before them.
`unwrap` rewrites a line of the other one-line shapes to it: RFC 5424, Docker's json-file, the
Kubernetes CRI, journald's JSON, ``docker compose``'s prefix. `program_of` splits a program's name.
`is_dull` spares the reading of JSON lines that tell no event: most are such.
Failure: none; a line of no known shape stays as it is. One line in, one line out: a line break
inside a wrapped text becomes a space, so that no text can pose as a line of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from logparse.events import number_of, text_of

__all__ = [
    "FRAME",
    "JOURNAL_FIELDS",
    "STAMP",
    "Part",
    "dress",
    "framed",
    "is_dull",
    "journal_line",
    "program_of",
    "tells_nothing",
    "unwrap",
]

# written loosely: the syslog daemon writes them, and every record of a log is matched with them
_OLD = rb"[A-Z][a-z][a-z] {1,2}\d{1,2} [\d:]{8}"
_NEW = rb"\d{4}-[\d:.T+-]{13,32}Z?"
STAMP = _OLD + rb"|" + _NEW
FRAME = rb"(?:<\d{1,3}>)?(" + STAMP + rb") [^ \n]++ ([^ \[\]\n]++)\[(\d++)\]: "

_RFC5424 = re.compile(
    rb"<\d{1,3}>1 (" + _NEW + rb"|-) ([^ ]++) ([^ ]++) ([^ ]++) [^ ]++ "
    rb'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*+")*+\])++)(?: (?:\xef\xbb\xbf)?|\Z)'
)
_CRI = re.compile(rb"(" + _NEW + rb") (stdout|stderr) ([FP])(?::[^ ]*+)? ")
_COMPOSE = re.compile(rb"[\w.-]{1,64} +\| ")
_OLD_STAMP = re.compile(_OLD + rb"(?= )")
_BARE_TAG = re.compile(rb"[^ \[\]\n]++\[\d++\]: ")
_BYTES = re.compile(rb'"MESSAGE"\s*+:\s*+\[')  # journald's way with what is no text
_UNSAFE = re.compile(r"[\s\[\]]")

_KEPT = 4096
_programs: dict[bytes, tuple[str, str]] = {}


class Part(NamedTuple):
    """A line's text without its wrapping; `key` is told where this is a piece of a longer line."""

    text: bytes
    key: bytes | None = None  # pieces of one line share it
    more: bool = False  # another piece follows
    stamp: bytes = b""  # when the container's output was taken down


def program_of(program: bytes) -> tuple[str, str]:
    """A program's name and its last part, the agent: ("postfix/relay/smtp", "smtp")."""
    known = _programs.get(program)
    if known is None:
        if len(_programs) >= _KEPT:
            _programs.clear()
        name = text_of(program)
        known = _programs[program] = (name, name.rpartition("/")[2])
    return known


def unwrap(line: bytes) -> Part:
    """The text in `line`, in a shape of `FRAME` where it has one."""
    first = line[:1]
    if first == b"{":
        return _object(line)
    if first == b"<" and (match := _RFC5424.match(line)) is not None:
        stamp, host, program, pid = match.groups()
        text = line[match.end() :]
        if stamp == b"-":
            return Part(text)
        return Part(framed(stamp, host, program, pid if pid.isdigit() else b"0", text))
    if (match := _CRI.match(line)) is not None:
        return Part(line[match.end() :], b"cri " + match[2], match[3] == b"P", match[1])
    if (match := _COMPOSE.match(line)) is not None:
        return Part(line[match.end() :])
    return Part(line)


def dress(text: bytes, stamp: bytes) -> bytes:
    """A container's line with the time it was taken down in place of a stamp without year."""
    if not stamp:
        return text
    if (old := _OLD_STAMP.match(text)) is not None:
        return stamp + text[old.end() :]
    if _BARE_TAG.match(text) is not None:
        return stamp + b" - " + text
    return text


def framed(stamp: bytes, host: bytes, program: bytes, pid: bytes, text: bytes) -> bytes:
    """One line in the shape of `FRAME`."""
    return b"%b %b %b[%b]: %b" % (stamp, host or b"-", program, pid, text.replace(b"\n", b" "))


def tells_nothing(text: bytes) -> bool:
    """Whether a line of Postfix, wrapped in whatever, has none of the words that tell an event."""
    return not (
        b": to=" in text
        or b": removed" in text
        or b": from=<" in text
        or b": host " in text
        or b"expired" in text
    )


def is_dull(line: bytes) -> bool:
    """Whether a JSON line need not be read: Postfix wrote it, it is whole, and it tells nothing."""
    if b"postfix/" not in line or not tells_nothing(line) or _BYTES.search(line) is not None:
        return False
    return b'"MESSAGE"' in line or b'\\n"' in line


def _object(line: bytes) -> Part:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return Part(line)
    if not isinstance(found, dict):
        return Part(line)
    if isinstance(log := found.get("log"), str):
        stamp = found.get("time")
        text = log.encode("utf-8", "surrogatepass")
        return Part(
            text.rstrip(b"\r\n").replace(b"\n", b" "),
            b"docker " + str(found.get("stream", "")).encode("utf-8", "replace"),
            not log.endswith("\n"),
            stamp.encode("utf-8", "replace") if isinstance(stamp, str) else b"",
        )
    if "MESSAGE" in found:
        return Part(
            journal_line(
                {
                    name: _field(found[name.decode()])
                    for name in JOURNAL_FIELDS
                    if name.decode() in found
                }
            )
        )
    return Part(line)


def _field(value: Any) -> bytes:
    """A value of journald's JSON: text, a list of byte numbers, a list of values, or null."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, list) and value:
        if all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value)
        return _field(value[0])
    return b""


# what a line is made of; journald has many more
JOURNAL_FIELDS = (
    b"MESSAGE",
    b"SYSLOG_IDENTIFIER",
    b"_COMM",
    b"_SOURCE_REALTIME_TIMESTAMP",
    b"__REALTIME_TIMESTAMP",
    b"SYSLOG_PID",
    b"_PID",
    b"_HOSTNAME",
)


def journal_line(entry: Mapping[bytes, bytes]) -> bytes:
    """A journal entry as a line in the shape of `FRAME`; empty where it names no program."""
    program = entry.get(b"SYSLOG_IDENTIFIER") or entry.get(b"_COMM") or b""
    stamp = entry.get(b"_SOURCE_REALTIME_TIMESTAMP") or entry.get(b"__REALTIME_TIMESTAMP") or b""
    message = entry.get(b"MESSAGE", b"")
    if not program or not stamp.isdigit():
        return message.replace(b"\n", b" ")
    pid = entry.get(b"SYSLOG_PID") or entry.get(b"_PID") or b"0"
    return framed(
        _rfc3339(number_of(stamp)),
        _word(entry.get(b"_HOSTNAME", b"")),
        _word(program),
        pid if pid.isdigit() else b"0",
        message,
    )


def _word(name: bytes) -> bytes:
    return _UNSAFE.sub("_", text_of(name)).encode("utf-8", "surrogatepass")


def _rfc3339(microseconds: int) -> bytes:
    seconds, rest = divmod(microseconds, 1_000_000)
    return b"%b.%06dZ" % (_second(seconds), rest)


@lru_cache(maxsize=64)
def _second(seconds: int) -> bytes:
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        when = datetime.fromtimestamp(0, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S").encode()
