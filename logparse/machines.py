"""Which machine wrote which line: a log may hold the lines of many.

Queue ids, process ids and transactions of different machines have nothing to do with each other, so
each machine's lines are read as if they stood in a log of their own.
Contract: `machines_of(text)` takes plain lines (`logparse.plain`) and gives the lines of each
machine in their order, and who spoke after whom. Only lines of an MTA name a machine; all others
are left to the first part, which counts them. Exim's own log names none (b""), nor does a dash.
Failure: none. Time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from logparse.exim_lines import Found
from logparse.shapes import EXIM, EXIM_ID, PROGRAM, TO
from logparse.stamps import OWN, STAMP

__all__ = ["MachineLines", "Split", "machine_name", "machines_of"]

_LINE = re.compile(
    rb"(?:(?:<\d{1,3}>)?(?:" + STAMP + rb") ([^ \n]++)(?<!:) "
    rb"(?:" + PROGRAM + rb"|" + EXIM + rb")\[|(" + OWN + rb" (?:\[\d++\] )?" + EXIM_ID + rb" )|)"
    rb"[^\n]*+\n"
)
_TURNS = 4096  # of speaking, that are told


class MachineLines(NamedTuple):
    """Lines of one machine."""

    machine: bytes
    text: bytes
    lines: int
    telling: list[int] | None = None  # where Postfix's lines of interest begin, if that is known
    exim: Sequence[Found] = ()  # lines that may be Exim's


class Split(NamedTuple):
    """The lines of each machine, and the machines as they spoke, one after the other."""

    parts: list[MachineLines]
    turns: list[bytes]


def machines_of(text: bytes) -> Split:
    """The lines of each machine."""
    lines: dict[bytes, list[bytes]] = {}
    nobody: list[bytes] = []  # other programs' lines, and such as tell nothing
    turns: list[bytes] = []
    last: bytes | None = None
    for match in _LINE.finditer(text):
        machine, own = match.groups()
        line = match[0]
        if machine is None:
            if own is None and TO not in line:
                nobody.append(line)
                continue
            machine = b""
        elif machine == b"-":
            machine = b""
        if machine != last:
            last = machine
            if len(turns) < _TURNS:
                turns.append(machine)
        lines.setdefault(machine, []).append(line)
    if len(lines) < 2:
        machine = next(iter(lines), b"")
        return Split([MachineLines(machine, text, text.count(b"\n"))], turns)
    parts = [MachineLines(name, b"".join(found), len(found)) for name, found in lines.items()]
    first = parts[0]
    parts[0] = first._replace(lines=first.lines + len(nobody))
    return Split(parts, turns)


def machine_name(machine: bytes) -> str:
    """A host's name as it is shown: lower case, without a dot at its end."""
    return machine.decode("ascii", "backslashreplace").lower().rstrip(".")
