"""Finds the rules whose conditions hold for a reply.

Contract: `Matcher.holding` yields every rule that holds, in the order of the rule set. One pass
over the text through an RE2 set tells which patterns occur; the other conditions are cheap.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import re2

from rules.model import ANYWHERE, Rule, When
from rules.patterns import options
from rules.reply import Reply

__all__ = ["Matcher"]


class Matcher:
    """The rules of a rule set, indexed by their patterns."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._ids: dict[str, int] = {}
        self._by_pattern: dict[int, list[int]] = {}
        self._textless: list[int] = []
        self._texts: list[tuple[frozenset[int], frozenset[int], frozenset[int]]] = []
        chosen = options()
        chosen.max_mem = 1 << 28
        self._set = re2.Set.SearchSet(chosen)
        for position, rule in enumerate(rules):
            some = self._numbered(pattern.text for pattern in rule.when.any)
            every = self._numbered(pattern.text for pattern in rule.when.all)
            never = self._numbered(pattern.text for pattern in rule.when.none)
            self._texts.append((some, every, never))
            for number in some or every:
                self._by_pattern.setdefault(number, []).append(position)
            if not some and not every:
                self._textless.append(position)
        self._set.Compile()

    def _numbered(self, patterns: Iterable[str]) -> frozenset[int]:
        return frozenset(self._number(pattern) for pattern in patterns)

    def _number(self, pattern: str) -> int:
        number = self._ids.get(pattern)
        if number is None:
            number = self._ids[pattern] = self._set.Add(pattern)
        return number

    def holding(
        self,
        reply: Reply,
        receiver: str | None,
        mx: str | None,
        stage: str | None,
        origin: str | None,
    ) -> Iterator[Rule]:
        """Every rule that holds, the first one wins."""
        found = frozenset(self._set.Match(reply.text) or ()) if self._ids else frozenset()
        places = set(self._textless)
        for number in found:
            places.update(self._by_pattern.get(number, ()))
        if origin is None:
            origins: Set[str] = {"remote"} if reply.code is not None else {"remote", "local"}
        else:
            origins = {origin}
        for position in sorted(places):
            rule = self._rules[position]
            some, every, never = self._texts[position]
            if (
                (not some or not some.isdisjoint(found))
                and every <= found
                and never.isdisjoint(found)
                and not rule.when.origins.isdisjoint(origins)
                and holds(rule.when, reply, receiver, mx, stage)
            ):
                yield rule


def holds(
    when: When, reply: Reply, receiver: str | None, mx: str | None, stage: str | None
) -> bool:
    """Do all conditions but text and origin hold."""
    if when.receivers and (receiver or ANYWHERE) not in when.receivers:
        return False
    if when.codes and reply.code not in when.codes and reply.digit not in when.codes:
        return False
    if when.enhanced and not _enhanced(when.enhanced, reply.status):
        return False
    if when.stages and stage not in when.stages:
        return False
    return not when.mx or _under(when.mx, mx)


def _enhanced(wanted: frozenset[str], status: str | None) -> bool:
    if status is None:
        return False
    subject = status[: status.rindex(".") + 1]
    return status in wanted or subject in wanted or status[:2] in wanted


def _under(suffixes: tuple[str, ...], mx: str | None) -> bool:
    if mx is None:
        return False
    host = mx.lower().rstrip(".")
    return any(host == suffix or host.endswith("." + suffix) for suffix in suffixes)
