"""The controller's knowledge as plain values, to be kept over a restart.

Contract: `snapshot` is JSON-able and holds what was learnt: lanes with trouble or an opened window,
which lane a domain belongs to while it is held, and messages that wait for a time of their own.
Held messages are not in it: the queue itself tells them. `restore` starts every bucket empty, so
that a restart never lets more through than going on would have, and moves times to the clock of
today.
Failure: an entry of another version or shape is left out and counted; learning starts anew there.
Length: what is saved, in which shape, and how it is taken back stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, get_args

from policyd.shape import Among, AtLeast, Maybe, fits
from policyd.throttle.book.holdbook import HoldBook
from policyd.throttle.book.mailclasses import MailClasses
from policyd.throttle.book.nexthop import NextHops
from policyd.throttle.evidence import Lane
from policyd.throttle.judging.senders import SenderLanes
from policyd.throttle.lane.prospect import Prospect
from policyd.throttle.lane.reasons import Reason, Reasons
from policyd.throttle.lane.standing import DomainStandings
from policyd.throttle.lane.state import LaneState, State
from policyd.throttle.settings.pacing import DEFAULT_REACTIONS, Act, PacingSettings
from rules.masks import masked

__all__ = ["VERSION", "Knowing", "restore", "snapshot"]

VERSION = 1

_LANES = 5_000
_HOMES = 50_000
_ASIDE = 20_000
_LONGEST = 366 * 86_400.0  # seconds: no pin lasts longer
_LATEST = 2 * 28_800.0  # no entry of a retry table, with its jitter

_COUNT = AtLeast(0)
_SOME = AtLeast(0.0)
_ABOVE = AtLeast(1e-9)
_ENDLESS = AtLeast(1e-9, endless=True)
_KEPT = {
    "since": float, "seen": float, "until": float, "pinned": float,
    "accepted": _COUNT, "refused_total": _COUNT, "held_total": _COUNT,
}  # fmt: skip
_SPEED = {
    "ceiling": Maybe(_ABOVE), "cost": _SOME, "explore_at": float, "explore_gap": _SOME,
    "near": _ABOVE,
}  # fmt: skip
_TROUBLE = {
    "episode": float, "refused_at": float, "act": Among(get_args(Act)), "slowing": bool,
    "capacity": _SOME, "tolerance": AtLeast(1.0),
}  # fmt: skip
_PATIENCE = {"stop": _SOME, "good": _SOME, "bad": _SOME, "whole": _SOME}
_WINDOW = {
    "limit": AtLeast(1.0), "cap": Maybe(AtLeast(1)), "explore_at": float, "explore_gap": _SOME,
    "taken": _COUNT,
}  # fmt: skip
_EPISODE = {"began": float, "stops": _COUNT}  # not in files of earlier versions
_GREYLIST = {"age": Maybe(_SOME)}
_REASON = {
    "rule": Maybe(str), "category": str, "scope": str, "count": _COUNT, "first": float,
    "last": float, "reply": str, "host": str,
}  # fmt: skip
_HISTORY = [(float, _SOME)]  # when how many were accepted; neither is this
_COURT = (float, DomainStandings.SAVED)  # its first acceptance, its domains
_ROW = {
    "lane": (str, str),
    "state": Among(get_args(State)),
    "rate": Maybe(_ABOVE),
    "speed": _SPEED,
    "prospect": dict.fromkeys(Prospect._fields, _ENDLESS),
    "patience": _PATIENCE,
    "window": _WINDOW,
    "greylist": _GREYLIST,
    "trouble": _TROUBLE,
    "reasons": [_REASON],
    **_KEPT,
}
_OF_SENDER = {**_ROW, "sender": str}
# queue id, arrived, sender; pool, receiver; domain, recipients, due, refused
_WAITING = (str, float, str, str, str, str, AtLeast(1), float, _COUNT)
_TIMES = frozenset({
    "since", "seen", "until", "pinned", "explore_at", "episode", "refused_at", "first", "last",
})  # fmt: skip


class Knowing(Protocol):
    """Whoever knows what is worth keeping (`policyd.throttle.controller.Controller`)."""

    settings: PacingSettings
    book: HoldBook
    classes: MailClasses
    hops: NextHops
    senders: SenderLanes
    counts: dict[str, int]
    retired: bool

    def lane(self, lane: Lane, now: float) -> LaneState:
        """A lane's state, made if it is new."""

    def lanes(self, now: float) -> list[LaneState]:
        """All lanes, brought up to date."""

    def homes(self) -> Iterator[tuple[str, Lane]]:
        """Which lane each held domain belongs to."""

    def set_home(self, domain: str, lane: Lane) -> None:
        """Tell which lane a domain belongs to."""


def snapshot(controller: Knowing, now: float) -> dict[str, Any]:
    """Everything worth keeping, as plain values."""
    lanes = [state for state in controller.lanes(now) if _worth(state)]
    lanes.sort(key=lambda state: state.seen)
    troubled = {state.lane for state in lanes if state.state != "free"}
    homes = [
        [domain, *lane[:2]] for domain, lane in controller.homes() if lane in troubled
    ]  # fmt: skip
    return {
        "version": VERSION,
        "time": now,
        "lanes": [_lane(state) for state in lanes[-_LANES:]],
        "senders": [
            {**_lane(own), "sender": own.lane.sender}
            for own in controller.senders
            if own.advance(now) != "free"
        ],
        "homes": homes[-_HOMES:],
        "hops": [list(row) for row in controller.hops.rows()][-_HOMES:],
        "aside": _aside(controller, now),
        "counts": dict(controller.counts),
        "retired": controller.retired,
    }


def _worth(state: LaneState) -> bool:
    settled = state.settings.window.settled
    known = bool(state.reasons) or state.greylist.age is not None
    return state.state != "free" or known or state.window.taken > settled


def _lane(state: LaneState) -> dict[str, Any]:
    return {
        "lane": list(state.lane[:2]),
        "state": state.state,
        "rate": state.bucket.rate if state.bucket else None,
        "speed": {name: getattr(state.speed, name) for name in _SPEED},
        "prospect": state.speed.prospect._asdict(),
        "patience": {name: getattr(state.trouble.patience, name) for name in _PATIENCE},
        "window": {name: getattr(state.window, name) for name in _WINDOW},
        "greylist": {"age": state.greylist.age},
        "episode": {name: getattr(state.trouble.course, name) for name in _EPISODE},
        "trouble": {name: getattr(state.trouble, name) for name in _TROUBLE},
        "history": state.trouble.history.rows(),
        "court": [state.court.first, state.court.standing.rows()],
        "reasons": [
            {name: getattr(r, name) for name in _REASON} | {"reply": masked(r.reply)}
            for r in state.reasons
        ],
        **{name: getattr(state, name) for name in _KEPT},
    }


def _aside(controller: Knowing, now: float) -> list[list[Any]]:
    found: list[list[Any]] = []
    for message in controller.book.oldest():
        for part in message.parts.values():
            if part.due > now and len(found) < _ASIDE:
                row = [message.queue_id, message.arrived, message.sender, *part.lane[:2]]
                found.append([*row, part.domain, part.recipients, part.due, part.refused])
    return found


def restore(controller: Knowing, saved: Mapping[str, Any], now: float, shift: float = 0.0) -> int:
    """Take a snapshot back, its times moved by `shift`; how many entries were left out."""
    if saved.get("version") != VERSION:
        return 1
    today = _Today(now, shift)
    left_out = 0
    tables: tuple[tuple[str, Any, Callable[[Knowing, Any, _Today], None]], ...] = (
        ("lanes", _ROW, _restore_lane),
        ("senders", _OF_SENDER, _restore_sender),
        ("homes", (str, str, str), _restore_home),
        ("hops", (str, str), _restore_hop),
        ("aside", _WAITING, _restore_part),
    )
    for name, shape, take in tables:
        listed = saved.get(name)
        for row in listed if isinstance(listed, list) else ():
            if fits(row, shape):
                take(controller, row, today)
            else:
                left_out += 1
    counts = saved.get("counts")
    controller.counts.update(counts if counts and fits(counts, {str: _COUNT}) else {})
    controller.retired = saved.get("retired") is True
    return left_out


class _Today(NamedTuple):
    """Brings saved times to today's clock, within the bounds of anything that is waited for."""

    now: float
    shift: float

    def time(self, then: float, ahead: float = _LONGEST) -> float:
        """0.0 is no time, and stays so."""
        now = self.now
        return min(max(then + self.shift, now - _LONGEST), now + ahead) if then else 0.0

    def times(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same for all that are times among some values."""
        return {n: self.time(v) if n in _TIMES else v for n, v in values.items()}


def _restore_home(controller: Knowing, row: Any, today: _Today) -> None:
    domain, pool, receiver = row
    controller.set_home(domain, Lane(pool, receiver))


def _restore_hop(controller: Knowing, row: Any, today: _Today) -> None:
    controller.hops.restore(*row)


def _restore_part(controller: Knowing, row: Any, today: _Today) -> None:
    """A message that waits for a time of its own."""
    queue_id, arrived, sender, pool, receiver, domain, recipients, due, refused = row
    now, longest = today.now, max(_LATEST, 2 * controller.settings.longest_hint)
    message = controller.book.message(queue_id, now, today.time(arrived, 0.0))
    message.sender, message.klass = sender, controller.classes.of(sender, domain)
    due = today.time(due, longest)
    lane = Lane(pool, receiver)
    own = controller.senders.of(lane, sender)
    part = controller.book.wait(message, own.lane if own else lane, domain, now, due)
    part.recipients, part.refused = recipients, refused


def _restore_lane(controller: Knowing, row: Mapping[str, Any], today: _Today) -> None:
    _restore_state(controller.lane(Lane(*row["lane"]), today.now), row, today)


def _restore_sender(controller: Knowing, row: Mapping[str, Any], today: _Today) -> None:
    """The lane of a sender's domain, beside the receiver's."""
    base = controller.lane(Lane(*row["lane"]), today.now)
    own = controller.senders.make(base, row["sender"], today.now)
    if own is not None:
        _restore_state(own, row, today)


def _restore_state(state: LaneState, row: Mapping[str, Any], today: _Today) -> None:
    now = today.now
    parts: tuple[tuple[object, Mapping[str, Any], Mapping[str, Any]], ...] = (
        (state, row, _KEPT),
        (state.speed, row["speed"], _SPEED),
        (state.trouble.patience, row["patience"], _PATIENCE),
        (state.trouble, row["trouble"], _TROUBLE),
        (state.window, row["window"], _WINDOW),
        (state.greylist, row["greylist"], _GREYLIST),
    )
    for part, values, names in parts:
        for name, value in today.times({name: values[name] for name in names}).items():
            setattr(part, name, value)
    told = row.get("episode")
    episode = {"began": row["since"], "stops": 0}
    if told is not None and fits(told, _EPISODE):
        episode = told
    state.trouble.course.enter("free", now)
    if row["state"] != "free":
        state.trouble.course.began = min(today.time(episode["began"]), now)
        state.trouble.course.stops = episode["stops"]
    state.since, state.seen = min(state.since, now), min(state.seen, now)
    state.until = min(state.until, max(now + _longest_stop(state.settings), state.pinned))
    state.speed.prospect = Prospect(**{n: row["prospect"][n] for n in Prospect._fields})
    state.trouble.flowing = now  # what was accepted before is not known any more
    state.window.limit = min(state.window.limit, float(state.settings.window.largest))
    if state.limits.attempts:
        state.window.limit = float(state.limits.attempts)
    kept = [today.times({name: reason[name] for name in _REASON}) for reason in row["reasons"]]
    state.reasons = Reasons([Reason.of(**values) for values in kept])
    history = row.get("history")
    if history is not None and fits(history, _HISTORY):
        state.trouble.history.restore((today.time(when, 0.0), count) for when, count in history)
    court = row.get("court")  # files of earlier versions have none
    if court is not None and fits(court, _COURT):
        first, domains = court
        state.court.restore(first, domains, today.time)
    state.state = row["state"]
    state.adjusted = now
    if row["rate"]:
        state.speed.start(row["rate"], now)


def _longest_stop(settings: PacingSettings) -> float:
    """The longest a lane is ever suspended, but for an operator's pin."""
    reactions = (*DEFAULT_REACTIONS.values(), *settings.reactions.values())
    return 2 * max(settings.longest_hint, *(reaction.longest for reaction in reactions))
