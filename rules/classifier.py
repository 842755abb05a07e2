"""Which rule a reply falls under, and what follows from it.

Contract: `Classifier.classify` gives the verdict of the first rule, in the order of the rule set,
whose conditions all hold; no rule, verdict "unknown". The literals of
all patterns of all rules are looked for at once, so the number of rules hardly matters. Pure: no
clock, no file, no log. Not thread-safe.
Failure: none; any string is classified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rules.calm import calm
from rules.hints import COUNTED, dated
from rules.matching import EITHER, LOCAL, REMOTE, Case, Matcher
from rules.model import Ranked, Rule, RuleSet
from rules.reply import read
from rules.texts import Look, Texts
from rules.verdict import Verdict
from rules.verdicts import Decision, Judge

if TYPE_CHECKING:
    from rules.evidence import Quote

__all__ = ["CacheInfo", "Classifier"]

LONG = 1024  # longer replies are not worth a place in the cache
HOSTS = 16384  # whose receivers are remembered


class CacheInfo(NamedTuple):
    """How the caches did since the start: whole replies, and what rules can see of a reply."""

    hits: int  # the very same reply was known
    alike: int  # another reply that no rule can tell from this one was known
    misses: int
    entries: int
    limit: int


def _little(rule: Rule | None) -> bool:
    """Does this rule know little: by vague words, or by codes alone."""
    return rule is None or rule.vague or not (rule.when.any or rule.when.all or rule.when.also)


class Classifier:
    """Judges replies by a rule set."""

    def __init__(self, ruleset: RuleSet, *, cache: int = 16384) -> None:
        self.ruleset = ruleset
        with calm():
            texts = Texts(ruleset.probes, (COUNTED,))
            self.matcher = Matcher(ruleset.entries, texts)
            self._judge = Judge(ruleset, texts)
            texts.compile()
        self.probes = texts.probes  # what to look for instead of each pattern
        self._of_host = ruleset.receivers.of_host
        self._limit = max(cache, 1)
        self._replies: dict[tuple[str | None, ...], Verdict] = {}
        self._seen: dict[tuple[object, ...], tuple[int, Decision]] = {}
        self._hosts: dict[str, tuple[str | None, frozenset[str] | None]] = {}
        self._hits = self._alike = self._misses = 0

    def cache_info(self) -> CacheInfo:
        """Hits, misses, entries and the bound of the caches."""
        entries = max(len(self._replies), len(self._seen))
        return CacheInfo(self._hits, self._alike, self._misses, entries, self._limit)

    def classify(
        self,
        reply: str,
        *,
        mx: str | None = None,
        receiver: str | None = None,
        stage: str | None = None,
        origin: str | None = "remote",
        dsn: str | None = None,
        now: float | None = None,
    ) -> Verdict:
        """The verdict on one reply.

        `receiver` is looked up by `mx` if it is not given; `stage` may be told by the reply's own
        wrapping; `origin` None: a reply without a code may be our own MTA's words; `dsn` is the
        status the MTA logged beside local words; `now`: when it was said, in seconds since 1970.
        """
        key = (reply, mx, receiver, stage, origin, dsn)
        known = self._replies.get(key)
        if known is not None:
            self._hits += 1
            return known
        case = self.case(reply, mx=mx, receiver=receiver, stage=stage, origin=origin)
        verdict = self.judge(case, dsn, now)
        if len(reply) <= LONG and not (verdict.hint and now is not None and dated(verdict.hint)):
            if len(self._replies) >= self._limit:
                self._replies.clear()
            self._replies[key] = verdict
        return verdict

    def judge(self, case: Case, dsn: str | None = None, now: float | None = None) -> Verdict:
        """The verdict on a case, past the cache of replies."""
        _, decision = self.decide(case)
        return self._judge.verdict(case, decision, dsn, now)

    def decide(self, case: Case) -> tuple[int, Decision]:
        """What wins by what is said; if that is little, by advice; else by what is pointed at.

        The layer that decided stands before the decision. All but the last layer follow from the
        key alone, and need not be looked at again.
        """
        reply, receiver, _, stage, origins, under, inner, disputed = case
        key = (
            *self.matcher.key(reply),
            *(reply.code, reply.enhanced, receiver, stage, origins, under, inner, disputed),
        )
        known, look = self._seen.get(key), None
        if known is not None:
            self._alike += 1
        else:
            self._misses += 1
            look = self.matcher.look(reply)
            known = self._decided(case, look)
            if len(reply.wide) <= LONG:
                if len(self._seen) >= self._limit:
                    self._seen.clear()
                self._seen[key] = known
        if known[0] < 2:
            return known
        return 2, self._decided_at(case, self.matcher.look(reply, 2, look))

    def _decided(self, case: Case, look: Look) -> tuple[int, Decision]:
        """What wins without a look at links and names; layer 2 if nothing does."""
        reply = case.reply
        layer, decision = 0, self._decided_at(case, look)
        if reply.wide != reply.said and _little(decision.rule):
            advised = self._decided_at(case, self.matcher.look(reply, 1, look))
            if decision.rule is None or not _little(advised.rule):
                layer, decision = 1, advised
        if decision.rule is None and reply.pointed:
            return 2, decision
        return layer, self._judge.settled(case, decision)

    def holding(self, case: Case) -> list[Ranked]:
        """Every rule that holds in the layer that decides, the winner first."""
        layer, _ = self.decide(case)
        return list(self.matcher.holding(case, self.matcher.look(case.reply, layer)))

    def evidence(self, reply: str, case: Case, now: float | None = None) -> list[Quote]:
        """Where in the reply each thing stands that its verdict was read from."""
        from rules.evidence import evidence  # only who asks for it pays for it

        layer, decision = self.decide(case)
        verdict = self._judge.verdict(case, decision, None, now)
        return evidence(reply, case, layer, verdict, decision.rule)

    def _decided_at(self, case: Case, look: Look) -> Decision:
        """What wins in one layer."""
        rules = (entry.rule for entry in self.matcher.holding(case, look))
        return self._judge.decide(case, look, next(rules, None), rules)

    def case(
        self,
        reply: str,
        *,
        mx: str | None = None,
        receiver: str | None = None,
        stage: str | None = None,
        origin: str | None = "remote",
    ) -> Case:
        """A reply and its circumstances, completed by what the reply itself tells."""
        parsed = read(reply)
        under = None
        if mx is not None:
            owner, under = self._hosts.get(mx) or self._host(mx)
            receiver = receiver or owner
        if origin is None:
            origins = REMOTE if parsed.code is not None else EITHER
        else:
            origins = LOCAL if origin == "local" else REMOTE
        case = Case(parsed, receiver, mx, stage or parsed.stage, origins, under)
        return self._deciding(case) if parsed.others else case

    def _deciding(self, case: Case) -> Case:
        """Of several replies in one text: the first failing one that no earlier one explains."""
        replies = (case.reply, *case.reply.others)
        failing = [reply for reply in replies if reply.digit in (4, 5)]
        disputed = len({reply.digit for reply in failing}) > 1
        codes = [reply.code for reply in replies if reply.code]
        best = None
        for place, reply in enumerate(failing):
            others = list(codes)
            if reply.code:
                others.remove(reply.code)
            one = case._replace(
                reply=reply,
                inner=frozenset(others) | {code // 100 for code in others},
                disputed=disputed,
            )
            rule = self.decide(one)[1].rule
            if rule is None or (place and rule.category == "protocol.error"):
                continue
            if not rule.vague:
                return one
            best = best or one
        return best or case._replace(reply=failing[0] if failing else case.reply)

    def _host(self, mx: str) -> tuple[str | None, frozenset[str] | None]:
        """Whose host it is, and under which names that rules know it lies."""
        if len(self._hosts) >= HOSTS:
            self._hosts.clear()
        found = self._hosts[mx] = (self._of_host(mx), self.matcher.under(mx))
        return found
