"""The shape of Exim's delivery lines, from the mark (``=>``, ``==``, ``**`` …) to the message.

``MARK ADDRESS [(PARENTS)] [<TOP>] FIELDS [defer (N)[: ERROR]] [H=…] [: MESSAGE]``: the addresses,
``C="…"`` and MESSAGE hold text from outside. So a line is read from the left, piece by piece: an
address is one word in which quoted parts may hold anything, a field is a known letter with a word,
a quoted or a bracketed value, and MESSAGE is everything behind the first separator that follows the
fields. Exim prints an address it has already unquoted bare, but then TOP repeats it in quotes: a
bare address with blanks is only believed if TOP says the same, or if it has nothing of a field.

Contract: `parse(text, mark)` gives a `Record`, or None for a line of another form.
Failure: none. Time is linear in the length of the line.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from logparse.events import number_of

__all__ = ["HOST", "Record", "duration", "host_name", "parse", "unquoted"]

# classes are spelled out: ``\\s`` is slow, and only ASCII blanks part an Exim line
_BLANK = r" \t\n\r\f\v"
_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_SIMPLE = re.compile(rf'(?!save )([^"<>()|/:{_BLANK}]++)(?: <([^"<>:{_BLANK}]++)>)?+(?= [A-Z=])')
# an alias leads to an address that needs quotes, and Exim prints it without
_SPACED = re.compile(
    rf'([^"<>=:()|/{_BLANK}]++(?: [^"<>=:()|{_BLANK}]++)++) <([^"<>{_BLANK}]++)>'
    r"(?= [A-Z]=| routing| defer| ?:)"
)
_WORD = re.compile(rf'(?:{_QUOTED}|[^{_BLANK}"]++)++|[^{_BLANK}]++')
_TOP = re.compile(rf" <((?:{_QUOTED}|[^<>\"\n]++)*+)>")
_PARENTS = re.compile(rf" \((?:{_QUOTED}|[^()\"]++)*+\)")
_LOCAL_END = re.compile(r" (?=<[^<>]*>(?: [A-Z]{1,2}=\S|:| : | defer| routing)|[FQPRT]=\S|: )")
_NAME = rf"(?:[^{_BLANK}\[\]]++|\[[^{_BLANK}\[\]]++\])"  # bracketed: the domain is an address
HOST = rf"H=({_NAME})(?: DS)? \[([^\]{_BLANK}]*+)\](?::(-?[0-9A-Za-z_]++))?(\*)?"
# groups: 1–4 a host, 5 and 6 the name and value of a field, the name only if it is of use
_FIELD = re.compile(
    rf" (?:{HOST}|(?:(H|T|C|QT)|[A-Z][A-Za-z0-9]{{0,5}})"
    rf"=({_QUOTED}|<(?:{_QUOTED}|[^<>\"]++)*+>|[^\"<{_BLANK}][^{_BLANK}]*+)"
    r"|(?:L\*?|PRDR|K|TFO\*{0,2}|DS|\(shadow transport returned error: [^)]*+\))(?= |\Z))",
    re.DOTALL,
)
_TIME = re.compile(r" DT=[0-9.wdhms]++\Z")  # stands behind the message of a failure
_DEFER = re.compile(r"(?: routing)? defer \(([^()\s]*+)\)")
_ERROR_END = re.compile(r" H=\S+ \[| DT=|: |\Z")

_LONGEST_TIME = 40  # characters
_TRIES = 4  # quoted addresses looked at for a bare one before them

_Host = tuple[str | None, str | None, str | None, str | None]  # name, address, port, "*" if reused


class Record(NamedTuple):
    """The parts of a delivery line."""

    address: str
    top: str | None  # the envelope recipient, where it is another one
    transport: str
    host: str | None
    ip: str | None
    port: int | None
    reused: bool  # the connection had been used before
    confirmation: str | None  # C="…", unescaped
    queue_time: str  # as logged; "": not told
    number: int | None  # N of "defer (N)"
    error: str  # the operating system's words
    message: str


def parse(text: str, mark: str) -> Record | None:
    """The parts of `text`, which begins behind the mark."""
    address, top, at = _address(text)
    values: dict[str, str] = {}
    host, at = _fields(text, at, values)
    number: int | None = None
    error = ""
    defer = _DEFER.match(text, at) if mark == "==" else None
    if defer is not None:
        number = _number(defer[1])
        at = defer.end()
        if number is None or number > 0:  # an error of the operating system has words
            error, at = _error(text, at)
        further, at = _fields(text, at, values)
        host = host or further
    elif mark == "==":
        return None
    end = _TIME.search(text, max(at, len(text) - _LONGEST_TIME)) if mark == "**" else None
    message = text[at : end.start()] if end is not None else text[at:]
    if message.startswith(" : "):
        message = message[3:]
    elif message.startswith(": "):
        message = message[2:]
    elif message.strip() and not (mark == "=>" and address == "blackhole"):
        return None
    name, ip, port, reused = host or (values.get("H"), None, None, None)
    confirmation = values.get("C")
    return Record(
        address,
        top,
        values.get("T", ""),
        host_name(name) if name else None,
        ip,
        number_of(port) if port is not None and port.isdecimal() else None,
        reused is not None,
        None if confirmation is None else unquoted(confirmation),
        values.get("QT", ""),
        number,
        error,
        message,
    )


def host_name(name: str) -> str:
    """A host's name as it is logged in the shape it is known by."""
    return name.lower().strip("[]").rstrip(".")


def unquoted(value: str) -> str:
    """A field's value without its quotes and one level of backslashes."""
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    return value


def _address(text: str) -> tuple[str, str | None, int]:
    """The address, the envelope's one where it is told, and where they end."""
    if ' <"' in text:
        bare = _bare_with_blanks(text)
        if bare is not None:
            return bare
    elif (simple := _SIMPLE.match(text) or _SPACED.match(text)) is not None:
        return simple[1], simple[2], simple.end()
    if text[:1] in "|/>" or text.startswith("save "):
        match = _LOCAL_END.search(text)
        end = match.start() if match is not None else len(text)
    else:
        word = _WORD.match(text)
        end = word.end() if word is not None else 0
    address = text[:end]
    if address.endswith(":") and not address.startswith(":"):
        return address[:-1], None, end - 1  # the colon is the separator before the message
    parents = _PARENTS.match(text, end)
    if parents is not None and _TOP.match(text, parents.end()) is not None:
        end = parents.end()
    top = _TOP.match(text, end)
    if top is not None:
        return address, top[1], top.end()
    return address, None, end


def _bare_with_blanks(text: str) -> tuple[str, str, int] | None:
    at = text.find(' <"')
    for _ in range(_TRIES):
        if at < 0:
            return None
        top = _TOP.match(text, at)
        if top is not None:
            local, _, domain = top[1].rpartition("@")
            if f"{unquoted(local)}@{domain}".lower() == text[:at].lower():
                return text[:at], top[1], top.end()
        at = text.find(' <"', at + 1)
    return None


def _fields(text: str, at: int, values: dict[str, str]) -> tuple[_Host | None, int]:
    """Gathers the fields from `at` on; gives the first host and where they end."""
    host: _Host | None = None
    match = _FIELD.match
    while (found := match(text, at)) is not None:
        name, ip, port, reused, field, value = found.groups()
        at = found.end()
        if name is not None:
            host = host or (name, ip, port, reused)
        elif value is not None:
            # a colon that ends the last field of a failure is the separator before its message
            ends = value[-1] == ":" and text[at : at + 1] == " "
            if field is not None:
                values.setdefault(field, value[:-1] if ends else value)
            if ends:
                return host, at - 1
    return host, at


def _error(text: str, at: int) -> tuple[str, int]:
    """The operating system's words behind "defer (N): ", and where they end."""
    if not text.startswith(": ", at):
        return "", at
    end = _ERROR_END.search(text, at + 2)
    stop = end.start() if end is not None else len(text)
    return text[at + 2 : stop], stop


def _number(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None


_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")


@lru_cache(maxsize=4096)
def duration(text: str | bytes) -> float:
    """Seconds of a time such as 1d2h3m4.5s."""
    words = text if isinstance(text, str) else text.decode()
    return sum(float(value) * _UNITS[unit] for value, unit in _PIECE.findall(words))
