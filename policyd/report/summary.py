"""From what was counted to what the report says: ranked rows with rates.

Contract: `summarise` is pure. Rows come in rank order up to the settings' limits; `left` tells how
many of each kind were left out. Failure: none; an empty tally gives an empty summary.
Length: one short function for each table of the report, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from policyd.report.rows import (
    DomainsBehind,
    Pain,
    ReceiverRow,
    RefusalRow,
    Settings,
    SlowRow,
    Summary,
    TextRow,
)
from policyd.report.tally import (
    ATTEMPTS,
    PARTS,
    ReceiverTally,
    Refusal,
    RefusalKey,
    Tally,
    Text,
    TextKey,
)

__all__ = ["summarise"]

_HOUR = 3600
_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 168)  # hours a column of the heat line may cover
_SLOW_FLOOR = 10  # deliveries before a receiver may be called slow
_SLOW_SHARE = 1000  # and at least one in so many of all deliveries
_ONGOING = 1800.0  # a reason heard in the log's last half hour is not over yet


def summarise(
    tally: Tally, sources: Sequence[str] = (), settings: Settings | None = None
) -> Summary:
    """The summary of what was counted."""
    say = settings or Settings()
    outcomes: dict[str, int] = {}
    for row in tally.receivers.values():
        for outcome, count in row.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    slots, width = _slots(tally, say)
    reasons = _by_receiver(tally.refusals)
    ranked = sorted(tally.receivers, key=lambda name: (-_attempts(tally.receivers[name]), name))
    rows = [_receiver(name, tally.receivers[name], reasons, slots, width) for name in ranked]
    refusals = sorted(_refusals(tally.refusals), key=lambda row: (-row.recipients, row.receiver))
    slowest = sorted(
        _slow(tally, sum(map(_attempts, tally.receivers.values()))),
        key=lambda row: -row.delays["total"][1],
    )
    texts = sorted(tally.texts.items(), key=lambda item: (-item[1].count, item[0]))
    unknown = [item for item in texts if item[0][1] == "unknown"]
    newest = sorted(texts, key=lambda item: -item[1].first)
    behind = [_domains(name, tally.receivers[name]) for name in ranked] if say.domains else []
    pains = _pains(tally, reasons)
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
        left=_left(say, receivers=rows, refusals=refusals, slowest=slowest, unclassified=unknown),
        spilled=MappingProxyType(dict(tally.spilled)),
    )


def _left(say: Settings, **found: Sequence[object]) -> Mapping[str, int]:
    shown = {name: say.receivers if name == "receivers" else say.top for name in found}
    return {name: max(0, len(rows) - shown[name]) for name, rows in found.items()}


def _attempts(row: ReceiverTally) -> int:
    return sum(row.outcomes[outcome] for outcome in ATTEMPTS)


def _slots(tally: Tally, say: Settings) -> tuple[tuple[float, ...], int]:
    """The time axis: whole hours, as many to a slot as needed; a day is cut at its midnight."""
    if not tally.last:
        return (), 1
    offset = datetime.fromtimestamp(tally.first, say.zone).astimezone(say.zone).utcoffset()
    ahead = round((offset or timedelta()) / timedelta(hours=1))
    first, last = int(tally.first // _HOUR), int(tally.last // _HOUR)
    widths = (*_WIDTHS, -(-(last - first + 1) // max(1, say.columns - 1)))
    for width in widths:
        start = first - (first + ahead) % width
        if (last - start) // width < say.columns:
            break
    return tuple(float(hour * _HOUR) for hour in range(start, last + 1, width)), width


def _heat(
    row: ReceiverTally, slots: tuple[float, ...], width: int
) -> tuple[tuple[int, int, int], ...]:
    if not row.detailed or not slots:
        return ()
    sums = [[0, 0, 0] for _ in slots]
    start = int(slots[0]) // _HOUR
    for hour, counts in row.hours.items():
        place = (hour - start) // width
        if 0 <= place < len(sums):
            sums[place] = [a + b for a, b in zip(sums[place], counts, strict=True)]
    return tuple((sent, deferred, bounced) for sent, deferred, bounced in sums)


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
    refusals: Mapping[str, list[tuple[RefusalKey, Refusal]]],
    slots: tuple[float, ...],
    width: int,
) -> ReceiverRow:
    attempts = _attempts(row)
    sums: dict[tuple[str, str], int] = {}
    for key, refusal in refusals.get(name, ()):
        sums[key[1:3]] = sums.get(key[1:3], 0) + refusal.recipients
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return ReceiverRow(
        name,
        attempts,
        MappingProxyType(dict(row.outcomes)),
        _share(row.outcomes["deferred"], attempts),
        _share(row.outcomes["bounced"], attempts),
        tuple((key[0], key[1], count, _share(count, attempts)) for key, count in ranked),
        _heat(row, slots, width),
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
        _share(outcomes.get("deferred", 0), attempts),
        _share(outcomes.get("bounced", 0), attempts),
        tuple((key[0], key[1], count, _share(count, attempts)) for key, count in ranked),
        tuple(_sum(slot) for slot in zip(*heats, strict=True)),
        sum(row.domains for row in rows),
    )


def _sum(slot: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
    sent, deferred, bounced = map(sum, zip(*slot, strict=True))
    return sent, deferred, bounced


def _pains(tally: Tally, refusals: Mapping[str, list[tuple[RefusalKey, Refusal]]]) -> list[Pain]:
    """Per receiver and category: how much of its mail was refused, since when, and still so?"""
    pains = []
    for name, found in refusals.items():
        attempts = _attempts(tally.receivers[name])
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
                    _share(count, attempts),
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


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
