"""What people call the frame that a line has.

Contract: pure; `frame_of(line)` is a few words for the newest line of a log, "" for none.
Failure: none; what has no name is "another".
"""

from __future__ import annotations

import re

from logparse.stamps import OWN

__all__ = ["frame_of"]

_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (rb"\s*\{", "JSON"),
        (rb"__[A-Z_]+=", "journal export"),
        (rb"(?:<\d{1,3}>)?1 \d{4}-\S+ ", "RFC 5424"),
        (rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ 0-9]\d [0-9:]{8} \S+ \S+?\[\d+\]: ", "syslog (RFC 3164)"),
        (rb"(?:<\d{1,3}>)?\d{4}-\d\d-\d\dT\S+ \S+ \S+?\[\d+\]: ", "syslog with RFC 3339 times"),
        (OWN + rb" (?:\[\d+\] )?[0-9A-Za-z]+-", "Exim's own"),
        (rb"\S+ (?:stdout|stderr) [FP] ", "Kubernetes"),
        (rb"[\w.@-]{1,40}=(?:\"|[^ \"<>]* [\w.@-]{1,40}=)", "logfmt"),
    )
)


def frame_of(line: bytes) -> str:
    """Its name."""
    text = line.lstrip(b"\0\xef\xbb\xbf\n")
    if not text:
        return ""
    return next((name for pattern, name in _NAMES if pattern.match(text)), "another")
