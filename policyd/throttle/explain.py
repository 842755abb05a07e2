"""Why a lane is as it is, in one paragraph and as plain values.

Contract: pure; reads a lane, changes nothing but bringing it up to date. The reply it shows is
remote text, cut but not cleaned: whoever prints it must not take it for markup.
Failure: none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from policyd.settings.units import spell
from policyd.throttle.lane.state import LaneState

_NAMED = 5  # domains

__all__ = ["Explanation", "Ground", "explain"]

_MODES = {
    "off": "mxheed is off: nothing is held, and this state has no effect.",
    "shadow": "Shadow: nothing is held. Otherwise: {}",
}


@dataclass(frozen=True)
class Ground:
    """One kind of refusal this state rests on."""

    rule: str | None
    category: str
    scope: str
    count: int
    first: float
    last: float
    host: str
    reply: str


@dataclass(frozen=True)
class Explanation:
    """One lane, explained."""

    receiver: str
    pool: str
    sender: str  # the domain whose mail it is, if only one's
    state: str
    since: float  # when this state began
    began: float  # when it was free last
    stops: int  # suspensions since then
    until: float | None  # of a suspension
    pinned_until: float | None
    rate: float | None  # attempts a second, while slowed
    burst: float | None
    ceiling: float | None  # learnt: where it was refused
    explore_at: float | None  # when the ceiling is tried again
    window: int  # attempts allowed in flight
    in_flight: int
    waiting: int  # parts of messages that wait for this lane
    at_door: int  # attempts that wait for the gate's answer
    accepted: int
    refused: int
    held: int
    witnesses: dict[str, float]  # recipient domains that accuse it just now, and their weight
    alone: dict[str, float]  # domains that wait by themselves, and until when
    unconfirmed: int  # refusals that slowed nobody but what they concern
    grounds: tuple[Ground, ...]
    next: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def explain(state: LaneState, waiting: int, now: float, mode: str = "on") -> Explanation:
    """Explain one lane; in the modes `off` and `shadow` its state has no effect."""
    state.advance(now)
    bucket = state.bucket
    grounds = tuple(
        Ground(r.rule, r.category, r.scope, r.count, r.first, r.last, r.host, r.reply)
        for r in sorted(state.reasons, key=lambda r: -r.last)
    )
    coming = _MODES.get(mode, "{}").format(_next(state, now))
    return Explanation(
        receiver=state.lane.receiver,
        pool=state.lane.pool,
        sender=state.lane.sender,
        state=state.state,
        since=state.since,
        began=state.trouble.course.began or state.since,
        stops=state.trouble.course.stops,
        until=state.until if state.state == "suspended" else None,
        pinned_until=state.pinned if state.pinned > now else None,
        rate=bucket.rate if bucket and state.state != "free" else None,
        burst=bucket.burst if bucket and state.state != "free" else None,
        ceiling=state.speed.ceiling,
        explore_at=state.speed.explore_at if state.speed.ceiling is not None else None,
        window=state.window.size(),
        in_flight=state.window.open,
        waiting=waiting,
        at_door=state.at_door,
        accepted=state.accepted,
        refused=state.refused_total,
        held=state.held_total,
        witnesses=dict(state.court.votes),
        alone=state.court.alone(now),
        unconfirmed=state.court.kept,
        grounds=grounds,
        next=coming,
        text=_text(state, grounds, waiting, coming, now),
    )


def _name(state: LaneState) -> str:
    name = f"{state.lane.receiver} (pool {state.lane.pool})" if state.lane.pool else (
        state.lane.receiver
    )  # fmt: skip
    return f"{name}, for mail from {state.lane.sender}," if state.lane.sender else name


def _speed(rate: float) -> str:
    """A rate in the unit that reads best."""
    if rate >= 0.5:
        return f"{rate:.3g} messages a second"
    return f"{rate * 60:.3g} a minute" if rate >= 0.5 / 60 else f"{rate * 3600:.3g} an hour"


def _text(
    state: LaneState, grounds: tuple[Ground, ...], waiting: int, coming: str, now: float
) -> str:
    words = [f"{_name(state)} has been {state.state} {_lasting(state, now)}."]
    if grounds:
        last = grounds[0]
        times = "once" if last.count == 1 else f"{last.count} times"
        words.append(
            f"{last.host or 'It'} refused {times} as {last.category}"
            f" (rule {last.rule or 'none'}, last {spell(max(0.0, now - last.last))} ago),"
            f' saying "{last.reply}".'
        )
        if len(grounds) > 1:
            others = ", ".join(f"{g.category} {g.count}×" for g in grounds[1:])
            words.append(f"Besides: {others}.")
    words += _court(state, now)
    total = state.accepted + state.refused_total
    if total:
        words.append(f"Of {_many(total, 'attempt')}, {state.accepted} accepted.")
    if waiting:
        words.append(f"{_many(waiting, 'part')} of messages {'waits' if waiting == 1 else 'wait'}.")
    if state.at_door:
        attempts, wait = _many(state.at_door, "attempt"), "waits" if state.at_door == 1 else "wait"
        words.append(f"{attempts} {wait} at the door.")
    if state.window.cap is not None:
        words.append(f"It counts connections: at most {state.window.cap} attempts at a time.")
    words.append(coming)
    return " ".join(words)


def _lasting(state: LaneState, now: float) -> str:
    """For how long this state and, if they are more than it, the trouble have lasted."""
    words = f"for {spell(max(1.0, now - state.since))}"
    if state.trouble.course.stops > 1:
        words += f", in trouble for {spell(max(1.0, now - state.trouble.course.began))}"
        words += f" with {state.trouble.course.stops} stops"
    return words


def _when(seconds: float) -> str:
    """In how long; what is due may wait for a message that takes the turn."""
    return f"in {spell(seconds)}" if seconds >= 1 else "with the next message"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _court(state: LaneState, now: float) -> list[str]:
    """Who accuses the receiver, and whom only that concerns."""
    court, words = state.court, []
    if court.votes:
        told = ", ".join(f"{name} {worth:g}" for name, worth in list(court.votes.items())[:_NAMED])
        words.append(f"Witnesses, and what their word is worth: {told}.")
    if court.kept:
        words.append(f"{court.kept} refusals were not confirmed and slow only what they concern.")
    if alone := court.alone(now):
        told = ", ".join(
            f"{name} {spell(when - now)}" for name, when in list(alone.items())[:_NAMED]
        )
        words.append(f"Domains that wait by themselves: {told}.")
    return words


def _next(state: LaneState, now: float) -> str:
    """What happens next."""
    if state.pinned > now:
        return f"Pinned by an operator for another {spell(state.pinned - now)}."
    if state.state == "suspended":
        return f"{_when(state.until - now).capitalize()} one message probes it."
    if state.state == "probing":
        return "One message probes it: accepted, mail flows at the learnt rate; refused, it waits."
    if state.state == "slowed":
        speed = _speed(state.bucket.rate) if state.bucket else "any speed"
        if state.speed.ceiling is None:
            return f"Mail flows at {speed}; the rate rises until it is refused."
        when = _when(state.speed.explore_at - now)
        return f"Mail flows at {speed}; above {_speed(state.speed.ceiling)} is tried again {when}."
    return f"Mail flows; at most {state.window.size()} attempts at a time."
