"""What the report's first table says: which receiver refuses most of our mail, and why.

The order is a judgement: mail lost to a policy before late mail, late mail before greylisting.

Contract: pure; at most two reasons for each receiver, the worst first. Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policyd.report.rows import Pain
from policyd.report.tally import Refusal, RefusalKey, Tally

__all__ = ["ByReceiver", "share", "worst"]

ByReceiver = Mapping[str, list[tuple[RefusalKey, Refusal]]]

_ONGOING = 1800.0  # a reason heard in the log's last half hour is not over yet


def worst(tally: Tally, refusals: ByReceiver) -> list[Pain]:
    """Per receiver and category: how much of its mail was refused, since when, and still so?"""
    pains = []
    for name, found in refusals.items():
        attempts = tally.receivers[name].attempts
        merged: dict[tuple[str, str], list[tuple[RefusalKey, Refusal]]] = {}
        for key, refusal in found:
            merged.setdefault((key[1], key[2]), []).append((key, refusal))
        for (outcome, category), parts in merged.items():
            count = sum(refusal.recipients for _, refusal in parts)
            last = max(refusal.last for _, refusal in parts)
            pains.append(
                Pain(
                    name,
                    outcome,
                    category,
                    count,
                    share(count, attempts),
                    max(parts, key=lambda part: part[1].recipients)[0][3],
                    min(refusal.first for _, refusal in parts),
                    last,
                    tally.last - last < _ONGOING,
                )
            )
    return _few_each(sorted(pains, key=lambda pain: (-_weight(pain), pain.receiver)))


def _weight(pain: Pain) -> float:
    """Mail lost to a policy weighs more than late mail; greylisting, which all meet, less."""
    if pain.category == "flow.greylist":
        return pain.count / 3
    lost = pain.outcome == "bounced" and not pain.category.startswith(("recipient.", "domain."))
    return pain.count * (3 if lost else 1)


def _few_each(pains: Sequence[Pain]) -> list[Pain]:
    """A receiver's biggest reason, and a second one where it is nearly as big."""
    biggest: dict[str, list[float]] = {}
    kept = []
    for pain in pains:
        before = biggest.setdefault(pain.receiver, [])
        if not before or (len(before) == 1 and 2 * _weight(pain) > before[0]):
            kept.append(pain)
        before.append(_weight(pain))
    return kept


def share(part: int, whole: int) -> float:
    """A part of attempts, between 0 and 1."""
    return part / whole if whole else 0.0
