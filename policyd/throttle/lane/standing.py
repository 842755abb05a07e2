"""What a lane's recipient domains have shown: who delivered, since when, and how often they accuse.

Contract: pure and bounded; of too many domains the ones that delivered nothing for longest are
forgotten first. A domain's word is worth what it has delivered: one vote for each acceptance since
its last one, less for who accused in vain, none for who is refused far oftener than its share of
the attempts explains.
Failure: none; a domain nobody knows has no standing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from policyd.shape import AtLeast

__all__ = ["Domain", "DomainStandings"]

_MOST = 512  # domains
_SAVED = 32  # of them, over a restart
_DECAYS = 1000.0  # attempts of one domain after which all counts are halved
_HOUR = 3600.0


Row = tuple[str, float, float, float, int, float]


class Domain:
    """One recipient domain behind a lane."""

    __slots__ = ("first", "latest", "refused", "refused_at", "strikes", "tried", "until", "voted")

    def __init__(self) -> None:
        self.first = self.latest = 0.0  # accepted; 0.0: never
        self.tried = self.refused = 0.0  # how often lately
        self.refused_at = 0.0  # the latest attempt, if it was refused
        self.voted = 0.0  # when it accused last
        self.strikes = 0  # times it accused and others were accepted
        self.until = 0.0  # waits alone until then


class DomainStandings:
    """All that are known of one lane."""

    # domain, first and latest acceptance, latest vote, strikes, attempts
    SAVED: ClassVar = [(str, float, float, float, AtLeast(0), AtLeast(0.0))]

    __slots__ = ("_known", "_refused", "_tried")

    def __init__(self) -> None:
        self._known: dict[str, Domain] = {}
        self._tried = self._refused = 0.0

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[tuple[str, Domain]]:
        return iter(self._known.items())

    def get(self, domain: str) -> Domain | None:
        """What is known of a domain."""
        return self._known.get(domain)

    def of(self, domain: str) -> Domain:
        """The same, made if it is new."""
        found = self._known.get(domain)
        if found is None:
            if len(self._known) >= _MOST:
                self._forget()
            found = self._known[domain] = Domain()
        return found

    def _forget(self) -> None:
        for name, _ in sorted(self, key=lambda item: item[1].latest)[: _MOST // 8]:
            gone = self._known.pop(name)
            self._tried = max(0.0, self._tried - gone.tried)
            self._refused = max(0.0, self._refused - gone.refused)

    def tried(self, domain: str) -> None:
        """An attempt to it began."""
        known = self._known.get(domain) or self.of(domain)
        known.tried += 1
        self._tried += 1
        if known.tried > _DECAYS:
            self._tried = self._refused = 0.0
            for one in self._known.values():
                one.tried /= 2
                one.refused /= 2
                self._tried += one.tried
                self._refused += one.refused

    def accused(self, known: Domain) -> None:
        """A domain's word was heard."""
        known.refused += 1
        self._refused += 1

    def share(self, domain: str) -> float:
        """Of the lane's attempts."""
        known = self._known.get(domain)
        return known.tried / self._tried if known and self._tried else 0.0

    def is_odd(self, known: Domain) -> bool:
        """Whether it is refused far oftener than its share of the attempts explains."""
        if known.refused < 2 or not self._tried:
            return False
        expected = self._refused * known.tried / self._tried
        return known.refused > expected + 2 * float(expected**0.5) + 0.5

    def others(self, but: Mapping[str, float], now: float) -> bool:
        """Whether any domain but these delivered within the last hour."""
        return any(
            now - known.latest < _HOUR for name, known in self if known.latest and name not in but
        )

    def rows(self) -> list[Row]:
        """The domains that delivered last, as plain values."""
        known = sorted(((name, one) for name, one in self if one.latest), key=lambda k: k[1].latest)
        return [
            (name, one.first, one.latest, one.voted, one.strikes, one.tried)
            for name, one in known[-_SAVED:]
        ]

    def restore(self, rows: Sequence[Row], time: Callable[[float], float]) -> None:
        """Take them back; `time` moves times to the clock of today."""
        for name, first, latest, voted, strikes, tried in rows[-_MOST:]:
            known = self.of(name)
            known.first, known.latest, known.voted = time(first), time(latest), time(voted)
            known.strikes = min(strikes, _SAVED)
            self._tried += tried - known.tried
            known.tried = tried
