"""Which rule a reply falls under, and what follows from it.

Contract: `Classifier.classify` gives the verdict of the first rule, in the order of the rule set,
whose conditions all hold; no rule, verdict "unknown". Every text pattern of every rule is tried
at once in one RE2 set, so the number of rules hardly matters. Pure: no clock, no file, no log.
Not thread-safe.
Failure: none; any string is classified.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rules.matching import Matcher
from rules.model import Rule, RuleSet
from rules.reply import read
from rules.verdict import Verdict
from rules.verdicts import judge

__all__ = ["CacheInfo", "Classifier"]


class CacheInfo(NamedTuple):
    """How the caches did since the start."""

    hits: int
    misses: int
    entries: int
    limit: int


class Classifier:
    """Judges replies by a rule set."""

    def __init__(self, ruleset: RuleSet, *, cache: int = 16384) -> None:
        self.ruleset = ruleset
        self._matcher = Matcher(ruleset.rules)
        self._of_host = ruleset.receivers.of_host
        self._limit = cache
        self._exact: dict[tuple[str | None, ...], Verdict] = {}
        self._hits = 0
        self._misses = 0

    def cache_info(self) -> CacheInfo:
        """Hits, misses, entries and the bound of the reply cache."""
        return CacheInfo(self._hits, self._misses, len(self._exact), self._limit)

    def classify(
        self,
        reply: str,
        *,
        mx: str | None = None,
        receiver: str | None = None,
        stage: str | None = None,
        origin: str | None = "remote",
        dsn: str | None = None,
    ) -> Verdict:
        """The verdict on one reply; origin None: told by the reply (no code, perhaps local)."""
        key = (reply, mx, receiver, stage, origin, dsn)
        known = self._exact.get(key)
        if known is not None:
            self._hits += 1
            return known
        self._misses += 1
        verdict = self._judge(reply, mx, receiver, stage, origin, dsn)
        if len(reply) <= 1024:
            if len(self._exact) >= self._limit:
                self._exact.clear()
            self._exact[key] = verdict
        return verdict

    def _judge(
        self,
        reply: str,
        mx: str | None,
        receiver: str | None,
        stage: str | None,
        origin: str | None,
        dsn: str | None,
    ) -> Verdict:
        parsed = read(reply)
        receiver = receiver or (self._of_host(mx) if mx else None)
        rule = next(
            self._matcher.holding(parsed, receiver, mx, stage or parsed.stage, origin), None
        )
        return judge(parsed, rule, receiver, dsn)

    def candidates(
        self,
        reply: str,
        *,
        mx: str | None = None,
        receiver: str | None = None,
        stage: str | None = None,
        origin: str | None = "remote",
    ) -> Iterator[Rule]:
        """Every rule that holds for a reply, the winner first."""
        parsed = read(reply)
        receiver = receiver or (self._of_host(mx) if mx else None)
        return self._matcher.holding(parsed, receiver, mx, stage or parsed.stage, origin)
