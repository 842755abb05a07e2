"""Rules that can never fire, and patterns written twice: mistakes that no example shows.

Contract: `lint` looks at the conditions only and yields one `Problem` per mistake.
Failure: none is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.errors import Problem
from rules.model import ANYWHERE, Pattern, Ranked, Rule, RuleSet, When
from rules.receivers import ReceiverTable

__all__ = ["covers", "lint"]


def lint(ruleset: RuleSet, chosen: Iterable[Rule]) -> Iterator[Problem]:
    """Every chosen rule that can never fire, and every pattern in them that occurs twice."""
    seen: dict[tuple[object, ...], Rule] = {}
    chosen = list(chosen)
    for rule in chosen:
        yield from _unreachable(rule, ruleset.receivers)
        yield from _impossible(rule)
        yield from _repeated(rule, seen)
    yield from _shadowed(ruleset.entries, {rule.id for rule in chosen})


def _unreachable(rule: Rule, receivers: ReceiverTable) -> Iterator[Problem]:
    named = [name for name in rule.when.receivers if name != ANYWHERE]
    if named and ANYWHERE not in rule.when.receivers:
        table = [receivers.by_id[name] for name in named]
        if not any(receiver.exact or receiver.suffix or receiver.domains for receiver in table):
            yield rule.place.problem(
                f"rule {rule.id!r} can never fire: no host belongs to {' or '.join(named)}"
            )
        owners = {suffix: receivers.of_host(suffix) for suffix in rule.when.mx}
        if owners and all(owner and owner not in named for owner in owners.values()):
            suffix, owner = next(iter(owners.items()))
            yield rule.place.problem(
                f"rule {rule.id!r} can never fire: mx {suffix!r} belongs to {owner!r}"
            )


def _impossible(rule: Rule) -> Iterator[Problem]:
    digits = {code if code < 10 else code // 100 for code in rule.when.codes}
    if not digits:
        return
    for status in sorted(rule.when.enhanced):
        if int(status[0]) not in digits:
            shown = status + "*" if status.endswith(".") else status
            yield rule.place.problem(
                f"rule {rule.id!r}: enhanced code {shown} never goes with its reply codes"
            )


def _repeated(rule: Rule, seen: dict[tuple[object, ...], Rule]) -> Iterator[Problem]:
    when = rule.when
    for key in ("any", "all", "none"):
        once: set[tuple[str, str]] = set()
        patterns: tuple[Pattern, ...] = getattr(when, key)
        for pattern in patterns:
            if (pattern.kind, pattern.text) in once:
                yield pattern.place.problem(
                    f"rule {rule.id!r} has the pattern {pattern.text!r} twice"
                )
            once.add((pattern.kind, pattern.text))
    beside = (
        *(when.receivers, when.mx, when.codes, when.enhanced, when.stages, when.origins),
        *(_named(texts) for texts in (when.all, when.none)),
        *(when.inner, frozenset(map(_named, when.also))),
    )
    for pattern in when.any:
        other = seen.setdefault((pattern.kind, pattern.text, *beside), rule)
        if other is not rule:
            yield pattern.place.problem(
                f"pattern {pattern.text!r} of rule {rule.id!r} is also in {other.id!r}, "
                "under the same conditions"
            )


def _shadowed(entries: tuple[Ranked, ...], chosen: set[str]) -> Iterator[Problem]:
    hidden: dict[str, list[Rule]] = {}
    for position, entry in enumerate(entries):
        if entry.rule.id not in chosen:
            continue
        for other in entries[:position]:
            if other.rule is not entry.rule and covers(other.when, entry.when):
                hidden.setdefault(entry.rule.id, []).append(other.rule)
                break
    for rule in {entry.rule.id: entry.rule for entry in entries}.values():
        by = hidden.get(rule.id, [])
        if len(by) == len(rule.entries) and (rule.site or not by[0].site):
            place = by[0].place
            yield rule.place.problem(
                f"rule {rule.id!r} can never fire: {by[0].id!r} ({place.file}:{place.line}) "
                "holds whenever it does"
            )


def covers(first: When, second: When) -> bool:
    """Does `first` hold whenever `second` does, as far as their wording shows."""
    return (
        _within(second.receivers, first.receivers)
        and _hosts(second.mx, first.mx)
        and _codes(second.codes, first.codes)
        and _groups(second.enhanced, first.enhanced)
        and _within(tuple(second.stages), tuple(first.stages))
        and second.origins <= first.origins
        and _codes(second.inner, first.inner)
        and _texts(second, first)
    )


def _within(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _hosts(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    return not wide or (
        bool(narrow)
        and all(any(host == top or host.endswith("." + top) for top in wide) for host in narrow)
    )


def _codes(narrow: frozenset[int], wide: frozenset[int]) -> bool:
    return not wide or (
        bool(narrow) and all(code in wide or code // 100 in wide for code in narrow)
    )


def _groups(narrow: frozenset[str], wide: frozenset[str]) -> bool:
    return not wide or (
        bool(narrow)
        and all(
            any(status == top or (top.endswith(".") and status.startswith(top)) for top in wide)
            for status in narrow
        )
    )


def _texts(narrow: When, wide: When) -> bool:
    some, every, wanted = _named(narrow.any), _named(narrow.all), _named(wide.any)
    if wanted and not ((some and some <= wanted) or every & wanted):
        return False
    surely = every | (some if len(some) == 1 else frozenset())
    if not _named(wide.all) <= surely:
        return False
    groups = [some, *map(_named, narrow.also)]
    if not all(any(group and group <= _named(one) for group in groups) for one in wide.also):
        return False
    return _named(wide.none) <= _named(narrow.none)


def _named(patterns: Iterable[Pattern]) -> frozenset[tuple[str, str]]:
    """Patterns by what they look for, and where."""
    return frozenset((pattern.kind, pattern.text) for pattern in patterns)
