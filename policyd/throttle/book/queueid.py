"""The inode in a queue id: Postfix names each message by a time and its queue file's inode.

Contract: pure. `inode_of` reads both forms of a queue id, the short one (hexadecimal) and the long
one (enable_long_queue_ids: digits without vowels, the inode behind the last "z"). `locked` reads
what /proc/locks says of a file: device and inode.
Failure: None for what has no such form; no inode is 0.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Locked", "inode_of", "is_named", "locked"]

_SHORT = re.compile(r"[0-9A-F]{5}([0-9A-F]{1,16})")  # microseconds, inode
_DIGIT = "0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y"
_LONG = re.compile(rf"[{_DIGIT}z]{{6,20}}z([{_DIGIT}]{{1,12}})")
_FILE = re.compile(r"([0-9a-f]+:[0-9a-f]+):([0-9]{1,20})")
_DIGITS = {
    digit: value
    for value, digit in enumerate("0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy")
}


class Locked(NamedTuple):
    """A file that somebody has locked."""

    device: str
    inode: int


def is_named(queue_id: str) -> bool:
    """Whether it is Exim's: such a message asks by its id, Postfix's have no hyphen in theirs."""
    return "-" in queue_id


def locked(told: object) -> Locked | None:
    """What a line of /proc/locks names: "00:2f:2342879"."""
    found = _FILE.fullmatch(told) if isinstance(told, str) else None
    return Locked(found[1], int(found[2])) if found else None


def inode_of(queue_id: str) -> int | None:
    """The inode that this queue id names."""
    if found := _SHORT.fullmatch(queue_id):
        return int(found[1], 16) or None
    if found := _LONG.fullmatch(queue_id):
        value = 0
        for digit in found[1]:
            value = value * 51 + _DIGITS[digit]
        return value or None
    return None
