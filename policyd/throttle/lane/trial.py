"""Whether a refusal stops the lane, or only what it certainly concerns.

Contract: pure. Certain is what the receiver itself says: at connect, greeting and MAIL, and in
words of its own rules for "not now". What is said about a recipient or at the end of the
data may be one mailbox's doing: the lane's court weighs it. Trouble of the network is one host's
while another host of the lane answers. Probes that somebody doubtful was used for say nothing.
Failure: none.
"""

from __future__ import annotations

from policyd.throttle.evidence import Evidence
from policyd.throttle.lane.following import follow
from policyd.throttle.lane.hosts import GREETING
from policyd.throttle.lane.sender import of_receiver
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt
from policyd.throttle.settings.pacing import Reaction

__all__ = ["DRAWING", "is_certain", "may_try", "try_lane", "try_six"]

_OF_RECEIVER = frozenset({"connect", "helo", "starttls", "auth", "mail"})

_NEAR = 0.6  # of the learnt rate: refused there, one witness is enough
DRAWING = 3.0  # seconds for which a probe waits for a message of a trusted domain


def may_try(state: LaneState, domain: str, now: float) -> bool:
    """Whether this domain may have an attempt, as far as its own word counts."""
    court = state.court
    if court.until(domain) > now:
        return False
    if state.state != "probing" or now - state.since > DRAWING:
        return True
    return court.is_trusted(domain, now) or not court.any_trusted(now)


def is_certain(evidence: Evidence) -> bool:
    """Whether nobody but the receiver can have said this."""
    return evidence.stage in _OF_RECEIVER


def _is_of_host(evidence: Evidence) -> bool:
    """Whether this may be one machine's own trouble: the network, or that it is busy."""
    if evidence.origin == "local" or evidence.category.startswith("net."):
        return True
    return evidence.category == "flow.busy" and evidence.stage in GREETING


def try_six(
    evidence: Evidence, reaction: Reaction, attempt: Attempt | None, state: LaneState, now: float
) -> bool:
    """Whether a block concerns our IPv6 address only."""
    if reaction.act != "pause" or reaction.shadow or evidence.scope != "ip":
        return False
    return state.hosts.refused_six(evidence, reaction, attempt, now)


def _is_hosts_limit(
    evidence: Evidence, reaction: Reaction, hint: float | None, state: LaneState, now: float
) -> bool:
    """Whether it is a rate of one host, where hosts have limits of their own."""
    if reaction.shadow or evidence.scope == "domain":
        return False
    if not state.hosts.refused(evidence, reaction, hint, state.settings, now):
        return False
    follow(of_receiver(state, None)[0], now)
    return True


def _is_own(evidence: Evidence, state: LaneState, domain: str) -> bool:
    """Whether these are the receiver's own words for "not now", and not of an odd domain."""
    standing = state.court.standing
    known = standing.get(domain)
    if known is not None and standing.is_odd(known):
        return False
    return evidence.reply[:1] == "4" and (evidence.rule or "").startswith(state.lane.receiver + ".")


def try_lane(
    evidence: Evidence,
    reaction: Reaction,
    hint: float | None,
    attempt: Attempt | None,
    state: LaneState,
    now: float,
) -> bool:
    """Slow the lane, if it is to blame; False: the message waits for a time of its own."""
    court = state.court
    domain = attempt.domain if attempt is not None else evidence.domain
    if try_six(evidence, reaction, attempt, state, now):
        court.kept += 1
        return False
    if reaction.act == "pause" and evidence.host and _is_of_host(evidence):
        if state.hosts.troubled(evidence, reaction, now):
            court.kept += 1
            return False
        court.certain(now)
    elif _is_hosts_limit(evidence, reaction, hint, state, now):
        court.kept += 1
        return False
    elif is_certain(evidence):
        court.certain(now)
    else:
        if not _corroborated(evidence, reaction, attempt, state, domain, now):
            state.refused_total += 1
            state.trouble.refused(reaction, now)
            state.reasons.note(evidence)
            return False
        hint = court.bind(hint, now)
    state.refuse(evidence, reaction, hint, attempt, now)
    return True


def _corroborated(
    evidence: Evidence,
    reaction: Reaction,
    attempt: Attempt | None,
    state: LaneState,
    domain: str,
    now: float,
) -> bool:
    court = state.court
    if (
        reaction.shadow
        or state.pinned > now
        or (attempt and attempt.epoch not in (-1, state.epoch))
    ):
        return True  # changes nothing: it is counted
    stands = state.advance(now)
    if stands == "probing" and (attempt is None or attempt.probe):
        if court.probe_refused(domain, now):
            court.vote(domain, now)
            return True
        state.probe = None  # another message may be it
        return False
    if stands in ("suspended", "probing"):
        return court.vote(domain, now) > 0
    own = _is_own(evidence, state, domain)
    told = court.accuse(domain, _witnesses(state, now), state.trouble.history, now)
    if not (told or (own and court.votes.get(domain, 0.0) >= 1)):
        return False
    court.convict()
    return True


def _witnesses(state: LaneState, now: float) -> int | None:
    """How many must say that a limited lane is refused: at the learnt rate, one."""
    if state.state != "slowed":
        return None
    bucket = state.bucket
    if bucket is not None and state.trouble.episode:
        due = bucket.rate * (now - state.speed.since)
        if state.speed.used + 1 >= _NEAR * due:
            return 1
    return state.settings.court.witnesses
