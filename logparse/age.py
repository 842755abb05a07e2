"""When a generation of a log began, told by the first stamp in it.

Names of rotated files may mean anything (``-28112026``, a ring of days, weekdays), and the time of
change is lost when a file is copied. The first line tells the truth.
Contract: `first_time(head, changed)` is the POSIX second of the first stamp in these bytes, None
where there is none. `changed` is when the file was written last: it decides about missing years.
Failure: none.
"""

from __future__ import annotations

import re

from logparse.plain import Plain
from logparse.stamps import OWN, STAMP, Stamps

__all__ = ["first_time"]

_BEGINS = re.compile(rb"(?:<\d{1,3}>)?(" + STAMP + rb"|" + OWN + rb")(?= )")
_LINES = 8  # of the file, at most, in which a stamp is looked for


def first_time(head: bytes, changed: float) -> float | None:
    """The time of the first line that tells one."""
    plain = Plain()
    whole = head[: head.rfind(b"\n") + 1] or head + b"\n"
    for line in plain.lines(whole, changed, thorough=True).split(b"\n")[:_LINES]:
        match = _BEGINS.match(line)
        if match is not None and not plain.undated:
            return Stamps().posix(match[1], changed)
    return None
