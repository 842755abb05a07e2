"""What the language says about one reply.

Contract: frozen values. Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["Flag", "Scope", "Stance", "Verdict"]

Scope = Literal[
    "ip", "domain", "recipient", "recipient-domain", "receiver", "connection", "message", "account"
]
Stance = Literal["none", "retry", "slow", "pause", "stop"]  # "none": accepted, nothing to do
Flag = Literal[
    "temporary_text_permanent_code",
    "permanent_text_temporary_code",
    "enhanced_mismatch",
    "vague",
]


_NOTHING: Mapping[str, str | int | float] = MappingProxyType({})


class Verdict(NamedTuple):
    """The classifier's judgement of one reply; `rule` is None only for "unknown"."""

    category: str  # a key of rules.taxonomy.CATEGORIES
    rule: str | None
    receiver: str | None  # the receiver the reply was judged for ("google"), None: not known
    scope: Scope
    stance: Stance
    suppress: bool  # may a list manager drop the address
    retry_after: float | None = None  # seconds, spoken or implied, clamped
    hint: str | None = None  # the phrase or code that told retry_after
    captures: Mapping[str, str | int | float] = _NOTHING
    flags: tuple[Flag, ...] = ()
    code: int | None = None
    enhanced: str | None = None
