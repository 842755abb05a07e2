"""Lines that are a set of named fields: JSON, logfmt, and entries of the systemd journal.

Collectors choose the names, so the text is looked for under every usual one, wherever it is nested,
as are the program and the time. A field that names the program decides: where it is none of an
MTA's, the text is another program's, whatever it holds.
Contract: `journal_line` makes a line of an entry's fields; `read_json` and `read_logfmt` give the
text of a line without its wrapping. What is no set of fields comes back as it is.
Failure: none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from logparse.dates import rfc3339, stamp_at
from logparse.events import number_of, text_of
from logparse.framing import Piece, framed
from logparse.shapes import MTA

__all__ = ["JOURNAL_FIELDS", "journal_line", "read_json", "read_logfmt"]

# what a journal's line is made of; journald has many more
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# in the order in which they are believed
_TEXTS = _names(
    "message msg log short_message full_message textpayload text line body event event.original"
    " log.original event.message jsonpayload.message raw _raw content"
)
_PROGRAMS = _names(
    "syslog_identifier ident identifier syslog.identifier syslogtag program programname"
    " program_name appname app_name app-name application_name _application_name syslog.appname"
    " log.syslog.appname attributes.appname"
    " process.name process_name procname tag _comm"
)
_PIDS = _names(
    "syslog_pid pid procid proc_id process.pid process_id syslog.procid attributes.proc_id _pid"
)
_TIMES = _names(
    "_source_realtime_timestamp __realtime_timestamp timereported timestamp @timestamp time ts"
    " isodate date datetime eventtime timegenerated receivetimestamp"
)
_HOSTS = _names("_hostname hostname host host.name host.hostname source _host computer")

_JOURNALD = ("__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "SYSLOG_IDENTIFIER", "_COMM")
_MTA = re.compile(MTA)
_UNSAFE = re.compile(r"[\s\[\]]")
_PAIR = re.compile(rb'([\w.@-]++)=(?:"((?:[^"\\]|\\.)*+)"|([^ "]*+))(?: ++|\Z)')
_TAG = re.compile(rb"\[|:\Z|/smtp|\Aexim")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_DEEPEST = 4
_MANY = 100  # fields looked at


def read_json(line: bytes) -> Piece:
    """The text of an object; pieces of one are told apart (Docker splits long lines)."""
    try:
        found = json.loads(line.removesuffix(b","))
    except (ValueError, RecursionError):
        return Piece(line)
    if not isinstance(found, dict):
        return Piece(line)
    if isinstance(log := found.get("log"), str) and "stream" in found:
        return Piece(
            _bytes(log.rstrip("\r\n")),
            b"docker " + _bytes(found["stream"]),
            not log.endswith("\n"),
            _time(found.get("time")),
        )
    if "MESSAGE" in found and not found.keys().isdisjoint(_JOURNALD):
        names = ((name, found.get(name.decode())) for name in JOURNAL_FIELDS)
        return Piece(journal_line({name: _bytes(value) for name, value in names if value}))
    return _part(_aliased(dict(_leaves(found)))) or Piece(line)


def read_logfmt(line: bytes) -> Piece:
    """The text of ``key=value key="a value"``, if all of the line is such."""
    values: dict[str, Any] = {}
    at = 0
    while at < len(line) and len(values) < _MANY:
        match = _PAIR.match(line, at)
        if match is None:
            return Piece(line)
        value = _ESCAPE.sub(rb"\1", match[2]) if match[2] is not None else match[3]
        values.setdefault(text_of(match[1]).lower(), text_of(value))
        at = match.end()
    return _part(values) or Piece(line)


def _leaves(
    found: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """All fields, those of objects inside by their path."""
    for name, value in list(found.items())[:_MANY]:
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _leaves(value, f"{prefix}{name.lower()}.", depth + 1)
        else:
            yield prefix + name.lower(), value


def _aliased(values: dict[str, Any]) -> dict[str, Any]:
    """The same with each field also under its own name, without the path to it."""
    for path, value in list(values.items()):
        values.setdefault(path.rpartition(".")[2].removeprefix("syslog_"), value)
    return values


def _part(values: Mapping[str, Any]) -> Piece | None:
    """The line that a set of fields tells; None: no text is in it."""
    text = next((_bytes(values[name]) for name in _TEXTS if values.get(name)), None)
    if text is None:
        return None
    text = text.rstrip(b"\r\n")
    if "tag" in values and not _TAG.search(_bytes(values["tag"])):
        values = {**values, "tag": None}  # Fluentd's word for a stream
    program = next((_bytes(values[name]) for name in _PROGRAMS if values.get(name)), b"")
    stamp = next(filter(None, (_time(values.get(name)) for name in _TIMES)), b"")
    if not program:
        return Piece(text, stamp=stamp)
    program, _, inside = program.rstrip(b": ").partition(b"[")
    text = text.lstrip(b" ")
    if (_MTA.fullmatch(program) and program + b"[" in text) or program + b": " in text:
        return Piece(text, stamp=stamp)  # the text has a frame of its own
    pid = next((_bytes(values[name]) for name in _PIDS if values.get(name)), inside.rstrip(b"]"))
    host = next((_word(_bytes(values[name])) for name in _HOSTS if values.get(name)), b"")
    tag = b"%b[%b]: " % (_word(program), pid if pid.isdigit() else b"0")
    return Piece(b"%b %b %b" % (stamp, host or b"-", tag + text) if stamp else tag + text)


def _bytes(value: Any) -> bytes:
    """A value as text: journald writes bytes as a list of numbers, repeated fields as a list."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").replace(b"\n", b" ")
    if isinstance(value, list) and value:
        if all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).replace(b"\n", b" ")
        return _bytes(value[0])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value).encode()
    return b""


def _time(value: Any) -> bytes:
    """A stamp in canonical form; nothing where it cannot be read."""
    text = _bytes(value)
    found = stamp_at(text, 0)
    return found.text if found is not None and found.end == len(text) else b""


def journal_line(entry: Mapping[bytes, bytes]) -> bytes:
    """A journal entry as a line in the shape of `FRAME`; empty where it names no program."""
    program = entry.get(b"SYSLOG_IDENTIFIER") or entry.get(b"_COMM") or b""
    stamp = entry.get(b"_SOURCE_REALTIME_TIMESTAMP") or entry.get(b"__REALTIME_TIMESTAMP") or b""
    message = entry.get(b"MESSAGE", b"")
    if not program or not stamp.isdigit():
        return message.replace(b"\n", b" ")
    pid = entry.get(b"SYSLOG_PID") or entry.get(b"_PID") or b"0"
    return framed(
        _microseconds(number_of(stamp)),
        _word(entry.get(b"_HOSTNAME", b"")),
        _word(program),
        pid if pid.isdigit() else b"0",
        message,
    )


def _word(name: bytes) -> bytes:
    return _UNSAFE.sub("_", text_of(name)).encode("utf-8", "surrogatepass")


def _microseconds(microseconds: int) -> bytes:
    seconds, rest = divmod(microseconds, 1_000_000)
    return b"%b.%06dZ" % (_second(seconds)[:-1], rest)


_second = lru_cache(maxsize=64)(rfc3339)
