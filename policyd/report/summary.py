"""From what was counted to what the report says: ranked rows with rates.

Contract: `summarise` is pure. Rows come in rank order up to the settings' limits; `left` tells how
many of each kind were left out. Failure: none; an empty tally gives an empty summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from policyd.report.heat import heat, time_slots
from policyd.report.machinerows import machine_rows, outcomes_of
from policyd.report.pains import ByReceiver, share, worst
from policyd.report.rows import (
    DomainsBehind,
    ReceiverRow,
    RefusalRow,
    Settings,
    SlowRow,
    Summary,
    TextRow,
)
from policyd.report.tally import (
    PARTS,
    ReceiverTally,
    Refusal,
    RefusalKey,
    Tally,
    Text,
    TextKey,
)

__all__ = ["summarise"]

_SLOW_FLOOR = 10  # deliveries before a receiver may be called slow
_SLOW_SHARE = 1000  # and at least one in so many of all deliveries


def summarise(
    tally: Tally,
    sources: Sequence[str] = (),
    settings: Settings | None = None,
    machines: Mapping[str, Tally] = MappingProxyType({}),
) -> Summary:
    """The summary of what was counted."""
    say = settings or Settings()
    outcomes = outcomes_of(tally)
    slots, width = time_slots(tally.first, tally.last, say)
    reasons = _by_receiver(tally.refusals)
    ranked = sorted(tally.receivers, key=lambda name: (-tally.receivers[name].attempts, name))
    rows = [_receiver(name, tally.receivers[name], reasons, slots, width) for name in ranked]
    refusals = sorted(_refusals(tally.refusals), key=lambda row: (-row.recipients, row.receiver))
    slowest = sorted(
        _slow(tally, sum(row.attempts for row in tally.receivers.values())),
        key=lambda row: -row.delays["total"][1],
    )
    texts = sorted(tally.texts.items(), key=lambda item: (-item[1].count, item[0]))
    unknown = [item for item in texts if item[0][1] == "unknown"]
    newest = sorted(texts, key=lambda item: -item[1].first)
    behind = [_domains(name, tally.receivers[name]) for name in ranked] if say.domains else []
    pains = worst(tally, reasons)
    return Summary(
        sources=tuple(sources),
        lines=tally.lines,
        bytes=tally.bytes,
        unparsed=tally.unparsed,
        undated=tally.undated,
        gap=tally.gap,
        first=tally.first,
        last=tally.last,
        outcomes=MappingProxyType(outcomes),
        pains=tuple(pains[: min(say.top, 6)]),
        receivers=tuple(rows[: say.receivers]),
        rest=_together(rows[say.receivers :]),
        refusals=tuple(refusals[: say.top]),
        slowest=tuple(slowest[: say.top]),
        newest=tuple(_text(*item) for item in newest[: max(say.top // 2, 1)]),
        unclassified=tuple(_text(*item) for item in unknown[: say.top]),
        domains=tuple(sorted(behind, key=lambda row: -row.total)),
        slots=slots,
        slot_hours=width,
        machines=machine_rows(machines),
        left=_left(say, receivers=rows, refusals=refusals, slowest=slowest, unclassified=unknown),
        spilled=MappingProxyType(dict(tally.spilled)),
    )


def _left(say: Settings, **found: Sequence[object]) -> Mapping[str, int]:
    shown = {name: say.receivers if name == "receivers" else say.top for name in found}
    return {name: max(0, len(rows) - shown[name]) for name, rows in found.items()}


def _by_receiver(
    refusals: Mapping[RefusalKey, Refusal],
) -> dict[str, list[tuple[RefusalKey, Refusal]]]:
    found: dict[str, list[tuple[RefusalKey, Refusal]]] = {}
    for key, refusal in refusals.items():
        found.setdefault(key[0], []).append((key, refusal))
    return found


def _receiver(
    name: str,
    row: ReceiverTally,
    refusals: ByReceiver,
    slots: tuple[float, ...],
    width: int,
) -> ReceiverRow:
    attempts = row.attempts
    sums: dict[tuple[str, str], int] = {}
    for key, refusal in refusals.get(name, ()):
        sums[key[1:3]] = sums.get(key[1:3], 0) + refusal.recipients
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return ReceiverRow(
        name,
        attempts,
        MappingProxyType(dict(row.outcomes)),
        share(row.outcomes["deferred"], attempts),
        share(row.outcomes["bounced"], attempts),
        tuple((key[0], key[1], count, share(count, attempts)) for key, count in ranked),
        heat(row, slots, width),
        len(row.domains),
    )


def _together(rows: Sequence[ReceiverRow]) -> ReceiverRow | None:
    """Several receivers as one row without a name of its own."""
    if not rows:
        return None
    outcomes: dict[str, int] = {}
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        for outcome, count in row.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        for outcome, category, count, _ in row.reasons:
            sums[outcome, category] = sums.get((outcome, category), 0) + count
    attempts = sum(row.attempts for row in rows)
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    heats = [row.heat for row in rows if row.heat]
    return ReceiverRow(
        f"{len(rows)} more",
        attempts,
        MappingProxyType(outcomes),
        share(outcomes.get("deferred", 0), attempts),
        share(outcomes.get("bounced", 0), attempts),
        tuple((key[0], key[1], count, share(count, attempts)) for key, count in ranked),
        tuple(_sum(slot) for slot in zip(*heats, strict=True)),
        sum(row.domains for row in rows),
    )


def _sum(slot: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
    sent, deferred, bounced = map(sum, zip(*slot, strict=True))
    return sent, deferred, bounced


def _slow(tally: Tally, attempts: int) -> Iterable[SlowRow]:
    for name, row in tally.receivers.items():
        deliveries = sum(row.delays[0].values())
        if deliveries >= max(_SLOW_FLOOR, attempts / _SLOW_SHARE):
            delays = {
                part: (_percentile(known, 0.5), _percentile(known, 0.95))
                for part, known in zip(PARTS, row.delays, strict=True)
                if known
            }
            yield SlowRow(name, deliveries, MappingProxyType(delays))


def _percentile(known: Mapping[float, int], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    wanted = share * sum(known.values())
    running = 0
    for value in sorted(known):
        running += known[value]
        if running >= wanted:
            return value
    return 0.0


def _refusals(found: Mapping[RefusalKey, Refusal]) -> Iterable[RefusalRow]:
    """One row per receiver, outcome and rule; the stage is where most of it happened."""
    merged: dict[tuple[str, ...], list[tuple[RefusalKey, Refusal]]] = {}
    for key, refusal in found.items():
        merged.setdefault(key[:4], []).append((key, refusal))
    for parts in merged.values():
        key, biggest = max(parts, key=lambda part: part[1].recipients)
        yield RefusalRow(
            *key,
            sum(refusal.recipients for _, refusal in parts),
            sum(refusal.replies for _, refusal in parts),
            min(refusal.first for _, refusal in parts),
            max(refusal.last for _, refusal in parts),
            biggest.sample,
        )


def _text(place: TextKey, text: Text) -> TextRow:
    return TextRow(
        text.receiver,
        len(text.receivers),
        place[1],
        text.rule,
        text.count,
        text.first,
        text.last,
        place[0],
        text.sample,
    )


def _domains(name: str, row: ReceiverTally) -> DomainsBehind:
    ranked = sorted(row.domains.items(), key=lambda item: (-item[1], item[0]))
    return DomainsBehind(name, len(ranked), tuple(ranked))
