"""Which rule a reply falls under, and what follows from it.

Contract: `Classifier.classify` gives the verdict of the first rule, in the order of the rule set,
whose conditions all hold; no rule, verdict "unknown". The literals of
all patterns of all rules are looked for at once, so the number of rules hardly matters. Pure: no
clock, no file, no log. Not thread-safe.
Failure: none; any string is classified.
"""

from __future__ import annotations

from typing import NamedTuple

from rules.matching import EITHER, LOCAL, REMOTE, Case, Matcher
from rules.model import RuleSet
from rules.reply import read
from rules.texts import Texts
from rules.verdict import Verdict
from rules.verdicts import Decision, Judge

__all__ = ["CacheInfo", "Classifier"]

LONG = 1024  # longer replies are not worth a place in the cache
HOSTS = 16384  # whose receivers are remembered


# what rules can see of a reply before any pattern is tried by itself: the literals found, code,
# enhanced code, receiver, suffixes of the host, stage, origins
View = tuple[
    frozenset[int],
    int | None,
    str | None,
    str | None,
    frozenset[str] | None,
    str | None,
    frozenset[str],
]


class CacheInfo(NamedTuple):
    """How the caches did since the start: whole replies, and what rules can see of a reply."""

    hits: int  # the very same reply was known
    alike: int  # another reply that no rule can tell from this one was known
    misses: int
    entries: int
    limit: int


class _Fork:
    """A pattern that was tried, and where its answers lead."""

    __slots__ = ("no", "number", "yes")

    def __init__(self, number: int, answer: bool, branch: _Fork | Decision) -> None:
        self.number = number
        self.yes = branch if answer else None
        self.no = None if answer else branch


class Classifier:
    """Judges replies by a rule set."""

    def __init__(self, ruleset: RuleSet, *, cache: int = 16384) -> None:
        self.ruleset = ruleset
        texts = Texts(ruleset.probes)
        self.matcher = Matcher(ruleset.entries, texts)
        self._judge = Judge(ruleset, texts)
        texts.compile()
        self.probes = texts.probes  # what to look for instead of each pattern
        self._of_host = ruleset.receivers.of_host
        self._limit = max(cache, 1)
        self._replies: dict[tuple[str | None, ...], Verdict] = {}
        self._views: dict[View, _Fork | Decision] = {}
        self._decided = 0  # leaves below the views
        self._hosts: dict[str, tuple[str | None, frozenset[str] | None]] = {}
        self._hits = self._alike = self._misses = 0

    def cache_info(self) -> CacheInfo:
        """Hits, misses, entries and the bound of the caches."""
        entries = max(len(self._replies), self._decided)
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
    ) -> Verdict:
        """The verdict on one reply.

        `receiver` is looked up by `mx` if it is not given; `stage` may be told by the reply's own
        wrapping; `origin` None: a reply without a code may be our own MTA's words; `dsn` is the
        status the MTA logged beside local words.
        """
        key = (reply, mx, receiver, stage, origin, dsn)
        known = self._replies.get(key)
        if known is not None:
            self._hits += 1
            return known
        case = self.case(reply, mx=mx, receiver=receiver, stage=stage, origin=origin)
        verdict = self.judge(case, dsn)
        if len(reply) <= LONG:
            if len(self._replies) >= self._limit:
                self._replies.clear()
            self._replies[key] = verdict
        return verdict

    def judge(self, case: Case, dsn: str | None = None) -> Verdict:
        """The verdict on a case, past the cache of replies.

        What is tried next follows from the view and the answers so far alone, so the tries of all
        cases of one view form a tree.
        """
        reply, receiver, _, stage, origins, under = case
        look = self.matcher.look(reply.text)
        view = (look.hits, reply.code, reply.enhanced, receiver, under, stage, origins)
        fork, answer = None, False
        node = self._views.get(view)
        while type(node) is _Fork:
            fork, answer = node, look.attempt(node.number)
            node = node.yes if answer else node.no
        if node is not None:
            self._alike += 1
            return self._judge.verdict(case, node, dsn)  # type: ignore[arg-type]
        self._misses += 1
        known = len(look.tried)
        entry = next(self.matcher.holding(case, look), None)
        decision = self._judge.decide(case, look, entry.rule if entry else None)
        if self._decided >= self._limit:
            self._views.clear()
            self._decided, fork, known = 0, None, 0
        self._decided += 1
        branch: _Fork | Decision = decision
        for number, said in reversed(list(look.tried.items())[known:]):
            branch = _Fork(number, said, branch)
        if fork is None:
            self._views[view] = branch
        elif answer:
            fork.yes = branch
        else:
            fork.no = branch
        return self._judge.verdict(case, decision, dsn)

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
        return Case(parsed, receiver, mx, stage or parsed.stage, origins, under)

    def _host(self, mx: str) -> tuple[str | None, frozenset[str] | None]:
        """Whose host it is, and under which names that rules know it lies."""
        if len(self._hosts) >= HOSTS:
            self._hosts.clear()
        found = self._hosts[mx] = (self._of_host(mx), self.matcher.under(mx))
        return found
