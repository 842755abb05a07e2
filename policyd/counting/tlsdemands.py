"""Receivers that refuse our mail because it came without TLS: a mistake of ours, not of theirs.

"530 5.7.0 Must issue a STARTTLS command first" limits nothing and blocks nobody: no lane slows, and
every message to that receiver bounces until our own MTA offers TLS. So it is said, aloud.

Contract: `take` looks at each refusal, `told` says in words what was refused in the last day; no
remote text is in them. A receiver that says so without reason costs one wrong sentence.
Failure: none; bounded, and forgotten in a restart.
"""

from __future__ import annotations

from logparse.events import Delivery
from rules.verdict import Verdict

__all__ = ["TLS_REMEDY", "TlsDemands"]

TLS_REMEDY = "smtp_tls_security_level = may"
_DAY = 86_400.0
_MOST = 1000
_CODE = 530  # RFC 3207: must issue a STARTTLS command first
_ENHANCED = "7.10"  # RFC 5248: encryption needed
_RULE = "session.tls-required"


class TlsDemands:
    """See the module."""

    def __init__(self) -> None:
        self._refused: dict[str, tuple[int, float]] = {}  # receiver → how many, the last one

    def take(self, delivery: Delivery, receiver: str, verdict: Verdict | None, now: float) -> None:
        """One refusal, at this time of our clock."""
        if verdict is None or verdict.category != "session.tls" or delivery.origin != "remote":
            return
        said = verdict.code == _CODE or (verdict.enhanced or "").endswith(f".{_ENHANCED}")
        if said or (verdict.rule or "").endswith(_RULE):
            number, last = self._refused.pop(receiver, (0, now))
            if len(self._refused) >= _MOST:
                del self._refused[next(iter(self._refused))]  # who said so least lately
            self._refused[receiver] = (number if now - last <= _DAY else 0) + 1, now

    def told(self, now: float) -> str:
        """What is wrong; "": nothing."""
        counts = [count for count, last in self._refused.values() if now - last <= _DAY]
        if not counts:
            return ""
        return (
            f"{len(counts)} receiver{'s' * (len(counts) > 1)} refused {sum(counts)} "
            f"recipient{'s' * (sum(counts) > 1)} because our mail came without TLS"
        )
