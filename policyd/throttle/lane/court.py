"""Who may stop a lane: the word of several recipient domains, weighed against what others deliver.

Contract: pure. A refusal in words that any mailbox may use is one vote of its recipient domain. It
raises a score (a running likelihood ratio); acceptances of other domains that began after the first
vote lower it. Two votes within `span` stop the lane; so does silence: nobody was accepted for as
long as several acceptances usually take. Until then the domain alone waits, ever longer; one that
is most of the lane's mail does not, only its messages. A spoken time binds as far as it is
confirmed.
Failure: none; a lane behind which only one domain was ever seen is that domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from policyd.throttle.lane.estimate import Accepted
from policyd.throttle.lane.pulse import Pulse
from policyd.throttle.lane.standing import Domain, DomainStandings, Row
from policyd.throttle.settings.court import CourtSettings

__all__ = ["Court"]

# a vote where the lane is well, or is limited; an acceptance likewise
_WELL, _LIMITED = 0.02, 0.3
_VOTE = log(_LIMITED / _WELL)
_ACQUITS = log((1 - _LIMITED) / (1 - _WELL))
_SLACK = 1.0  # below all votes, at which the score still tells enough
_CLOSED = -1.0  # the score at which the case is closed

_MOST_DOUBLED = 8
_NO_WORTH = 2  # so many doublings more for who has no vote
_BY_ITSELF = 0.3  # of the attempts: who has more than this is not held as a domain
_MOST_VOTES = 64
_CONFIRM = 3  # drawn domains, or voters, that confirm a spoken time
_MOST_REFUSING = 0.5  # of the domains lately tried
_WARM_TIME = 30.0  # seconds after which a lane has a history
# who delivers for less than this share of a settled lane's age, of so many seconds at most, is new
_SETTLED, _OLD, _NEW = 120.0, 1200.0, 0.5
_LATELY, _DAY = 600.0, 86_400.0
_GENERAL = 0.25  # of the attempts are to domains that are refused: it is no matter of a few
_KEPT = 2.0  # times what was taken before
_BAD_PROBE = 60.0


class Court:
    """One lane's votes, and the standing of its domains."""

    __slots__ = (
        "_certain", "_latest", "_pulse", "_settings", "drawn", "first", "kept", "opened", "score",
        "standing", "votes",
    )  # fmt: skip

    def __init__(self, settings: CourtSettings) -> None:
        self._settings = settings
        self.standing = DomainStandings()
        self.votes: dict[str, float] = {}  # of the present case: domain → what its word was worth
        self.score = 0.0
        self.drawn: set[str] = set()  # domains whose probes were refused in this stop
        self.kept = 0  # refusals that slowed nobody but the domain
        self.opened = self._latest = 0.0  # first and last vote
        self.first = 0.0  # the lane's first acceptance
        self._certain = 0.0  # when the receiver itself spoke
        self._pulse = Pulse()

    def use(self, settings: CourtSettings) -> None:
        """Judge by these settings from now on."""
        self._settings = settings

    # what is seen -------------------------------------------------------------------------------

    def began(self, domain: str) -> None:
        """An attempt was let through."""
        self.standing.tried(domain)

    def accepted(self, domain: str, began: float, now: float) -> None:
        """An attempt was accepted: others' word is worth less, its own is worth a vote again."""
        known = self.standing.of(domain)
        known.latest = now
        known.first = known.first or now
        known.refused_at = 0.0
        self.first = self.first or now
        self._pulse.beat(now)
        if not self._is_newcomer(known, now):
            self._pulse.count(now)
        if self.speaks(domain, began):
            self.score += _ACQUITS
            if self.score <= _CLOSED:
                self._acquit(now)

    def _acquit(self, now: float) -> None:
        """The others are well: who accused did so in vain."""
        for name in self.votes:
            self.standing.of(name).strikes += 1
        self._close()

    def _close(self) -> None:
        self.votes.clear()
        self.score = 0.0

    # what is said -------------------------------------------------------------------------------

    def accuse(self, domain: str, needed: int | None, history: Accepted, now: float) -> bool:
        """A refusal that may be of one mailbox only; True: the lane is to blame.

        `needed`: so many votes, if the lane is limited already; None: as many as usual.
        """
        if needed is None and not self.votes:
            self._pulse.note_pace(history, self.first, now)
        if self.votes and now - self._latest > self._settings.span:
            self._close()
        self._pulse.miss()
        worth = self.vote(domain, now)
        self._wait(domain, worth, now)
        self.kept += 1
        votes = (needed or self._settings.witnesses) if self.is_warm(now) else 0.5
        if needed == 1 and self._pulse.again:  # at a learnt rate, and nobody between was accepted
            votes = 0.5
        silent = needed is None and self._pulse.is_silent(now)
        if self._enough(votes) or silent or self._is_lone(domain, votes, now):
            self.kept -= 1
            return True
        return False

    def vote(self, domain: str, now: float) -> float:
        """Count a domain's word; what it was worth."""
        known = self.standing.of(domain)
        heard = domain in self.votes or len(self.votes) >= _MOST_VOTES
        worth = 0.0 if heard else self._worth(known, now)
        known.refused_at = now
        if domain not in self.votes:
            known.voted = now  # its word is spent, heard or not
        if worth:
            if not self.votes:
                self.opened, self.score = now, 0.0
            self.votes[domain] = worth
            self._latest = now
            self.score += _VOTE * worth
            self.standing.accused(known)
        return worth

    def _worth(self, known: Domain, now: float) -> float:
        standing = self.standing
        if known.voted and known.latest <= known.voted:
            return 0.0  # it has not delivered since
        if standing.is_odd(known):
            return 0.0
        if self._is_newcomer(known, now):
            told = any(self._is_newcomer(standing.of(name), now) for name in self.votes)
            return 0.0 if told and self.is_warm(now) else 0.5
        return 0.5 if known.strikes else 1.0

    def _wait(self, domain: str, worth: float, now: float) -> None:
        known = self.standing.of(domain)
        doubled = known.strikes + (0 if worth else _NO_WORTH)
        first, longest = self._settings.alone, self._settings.longest_alone
        known.until = now + min(first * 2.0 ** min(doubled, _MOST_DOUBLED), longest)

    def _enough(self, needed: float) -> bool:
        return sum(self.votes.values()) >= needed and self.score >= _VOTE * needed - _SLACK

    def _is_lone(self, domain: str, needed: float, now: float) -> bool:
        """Whether nobody but this domain is seen behind the lane, and it has no history either."""
        if self.standing.others({domain: 1.0} | self.votes, now):
            return False
        known = sum(1 for _, one in self.standing if one.latest)
        return not self.is_warm(now) and len(self.votes) >= min(needed, max(1, known))

    def is_warm(self, now: float) -> bool:
        """Whether the lane has a history to judge by."""
        return self.first > 0 and now - self.first > _WARM_TIME

    def _is_newcomer(self, known: Domain, now: float) -> bool:
        """Whether it never delivered, or only for a small part of the time the lane is known."""
        if not known.latest:
            return True
        age = now - self.first
        return age > _SETTLED and now - known.first < min(age, _OLD) * _NEW

    # what follows -------------------------------------------------------------------------------

    def until(self, domain: str) -> float:
        """Until when this domain waits by itself; 0.0: not at all."""
        known = self.standing.get(domain)
        if known is None or not known.until or self.standing.share(domain) > _BY_ITSELF:
            return 0.0
        return known.until

    def patience(self, times: int) -> float:
        """Seconds a message waits by itself after its `times`th refusal."""
        settings = self._settings
        return min(settings.alone * 2.0 ** min(times - 1, _MOST_DOUBLED), settings.longest_alone)

    def alone(self, now: float) -> dict[str, float]:
        """The domains that wait by themselves, and until when."""
        waiting = {name: self.until(name) for name, _ in self.standing}
        return {name: until for name, until in waiting.items() if until > now}

    def convict(self) -> None:
        """The lane stops: who said so said it rightly, and nobody waits by itself any more."""
        for name in self.votes:
            known = self.standing.of(name)
            known.strikes, known.until = 0, 0.0
        self.drawn.clear()

    def is_trusted(self, domain: str, now: float) -> bool:
        """Whether a message to this domain may be the probe: what it says is news."""
        known = self.standing.get(domain)
        if known is None or domain in self.votes or domain in self.drawn or known.refused_at:
            return False
        recent = now - known.latest < _DAY and not known.strikes
        return recent and not self._is_newcomer(known, now)

    def any_trusted(self, now: float) -> bool:
        """Whether there is any."""
        return any(self.is_trusted(domain, now) for domain, _ in self.standing)

    def probe_refused(self, domain: str, now: float) -> bool:
        """A probe was refused; False: it says nothing, for there are better ones."""
        if self.is_trusted(domain, now):
            self.drawn.add(domain)
            return True
        if self.any_trusted(now):
            self.standing.of(domain).until = now + _BAD_PROBE
            return False
        return True

    def probe_accepted(self, now: float) -> float:
        """The stop is over; the least rate that may be learnt from it."""
        self._close()
        self.drawn.clear()
        if now - self._certain < _LATELY or self._refusing(now) >= _GENERAL:
            return 0.0
        return _KEPT * self._pulse.pace

    def speaks(self, domain: str, began: float) -> bool:
        """Whether this acceptance contradicts those who stopped the lane."""
        return bool(self.votes) and domain not in self.votes and began >= self.opened

    def shortened(self, until: float, domain: str, began: float, now: float) -> float:
        """The end of a stop after such an acceptance: half of what is left."""
        return now + max(0.0, until - now) / 2 if self.speaks(domain, began) else until

    def bind(self, hint: float | None, now: float) -> float | None:
        """How much of a spoken time binds the lane."""
        if hint is None or not self.first:
            return hint
        confirmed = len(self.votes) >= _CONFIRM and self._refusing(now) >= _MOST_REFUSING
        if confirmed or len(self.drawn) >= _CONFIRM:
            return hint
        return min(hint, self._settings.believed * 2.0 ** len(self.drawn))

    def _refusing(self, now: float) -> float:
        """How much of the lane is refused now, newcomers left aside: 0 to 1."""
        tried = refused = 0
        weight = refused_weight = 0.0
        for _, known in self.standing:
            if now - max(known.latest, known.refused_at) > _LATELY or (
                self.is_warm(now) and self._is_newcomer(known, now)
            ):
                continue
            tried, weight = tried + 1, weight + known.tried
            if known.refused_at:
                refused, refused_weight = refused + 1, refused_weight + known.tried
        return min(refused / tried, refused_weight / weight) if tried and weight else 0.0

    def restore(self, first: float, rows: Sequence[Row], time: Callable[[float], float]) -> None:
        """Take back what is known of the domains."""
        self.first = time(first)
        self.standing.restore(rows, time)

    def certain(self, now: float) -> None:
        """The receiver itself has spoken."""
        self._certain = now
