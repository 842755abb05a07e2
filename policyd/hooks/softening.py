"""Which permanent refusals stay in the queue as temporary ones, and for how long.

Contract: pure. A limit (a category that always passes) is softened for `longest` per receiver and
rule. A block of our address is softened for `blocked` per message, where the message is known,
else per receiver and rule: if its words say that it passes; or, for words that do not, if the
receiver has accepted mail since it said so first, or its lane is stopped already, so that this
message is one of the few that only find out whether the block is over. A block of our IPv6 address
alone counts as one that passes: the next attempt may go by IPv4. What blames the recipient,
the message or a policy is never softened. A message's time is that of all its recipients, and is
kept by its queue id until `removed` tells that it has left: its inode may be another's by then.
Failure: none; where the table is full, a further message goes by the time of receiver and rule. The
MTA's queue lifetime bounds each message besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

from policyd.serve.settings import StatusSettings
from rules.taxonomy import CATEGORIES
from rules.verdict import Verdict

__all__ = ["Softening", "Stands", "kind_of"]

_MOST_SPELLS = 4096
_MOST_MESSAGES = 50_000
_LOST = 86_400.0  # seconds after which a message that was not asked about has left unseen
_SWEEP = 60.0  # seconds at least between two looks for such
_OF_MESSAGE = "queued:"  # before a queue id, in a saved row
# these categories need the mail to be changed or resent; waiting does not help
_PATIENCE_HELPS = frozenset(
    name
    for name, category in CATEGORIES.items()
    if category.nature == "temporary" and category.stance in ("retry", "slow", "pause")
)
_BLOCKS = ("reputation.ip", "reputation.blocklist")
_OF_US = frozenset({"ip", "receiver", "account"})
_QUEUE_ID = re.compile(r"[0-9A-Za-z]{5,30}")
_FOR_GOOD = re.compile(r"\bpermanent|\bnot succeed", re.IGNORECASE)

Kind = Literal["limit", "block", "perhaps", ""]


class Stands(NamedTuple):
    """How a receiver stands with us."""

    accepted: int  # attempts, ever
    stopped: bool  # one of its lanes is suspended, or probes


def kind_of(verdict: Verdict, reply: str) -> Kind:
    """What a 5yz is in truth, by its words alone; "": what it says."""
    if verdict.rule is None or verdict.suppress or verdict.stance in ("stop", "none"):
        return ""
    if verdict.category in _PATIENCE_HELPS:
        return "limit"
    if verdict.category not in _BLOCKS or verdict.scope not in _OF_US:
        return ""
    if _FOR_GOOD.search(reply):
        return ""
    if "temporary_text_permanent_code" in verdict.flags:
        return "block"
    # a list of others takes nobody off within minutes
    return "perhaps" if verdict.category == "reputation.ip" else ""


class _Spell:
    """A time in which one receiver's rule was softened."""

    __slots__ = ("accepted", "began", "last")

    def __init__(self, now: float) -> None:
        self.began = self.last = now
        self.accepted: int | None = None  # by the receiver, when it was refused so first


class _Kept:
    """A message that was softened."""

    __slots__ = ("began", "last")

    def __init__(self, began: float, last: float = 0.0) -> None:
        self.began = began
        self.last = last or began  # asked about


class Softening:
    """See the module."""

    SAVED: ClassVar = [(str, str, float, float)]  # receiver, rule, began, last

    def __init__(
        self, settings: StatusSettings, stands: Callable[[str], Stands] = lambda _: Stands(0, False)
    ) -> None:
        self._settings = settings
        self._stands = stands
        self._spells: dict[tuple[str, str], _Spell] = {}
        self._messages: dict[str, _Kept] = {}  # by queue id
        self._swept = -_SWEEP

    def softens(
        self,
        receiver: str,
        verdict: Verdict,
        reply: str,
        who: Callable[[], str | None],
        now: float,
        *,
        by_six: bool = False,
    ) -> bool:
        """Whether this refusal stays in the queue; `who` tells the message's queue id, if known.

        `by_six`: it blocks our IPv6 address, and the message might go by IPv4.
        """
        kind = self._kind(verdict, reply, by_six)
        if not kind or verdict.rule is None:
            return False
        stands = self._stands(receiver)
        spell = self._spell((receiver, verdict.rule), stands.accepted, now)
        if now - spell.began > self._settings.longest:
            return False
        if kind == "limit":
            return True
        if kind == "perhaps" and not (stands.stopped or stands.accepted > (spell.accepted or 0)):
            return False
        kept = self._kept(who(), now)
        began = spell.began if kept is None else kept.began
        return now - began < self._settings.blocked

    def may_wait(self, verdict: Verdict, reply: str, *, by_six: bool = False) -> bool:
        """Whether this refusal would stay in the queue if its message had time left."""
        return self._kind(verdict, reply, by_six) == "block"

    def _kind(self, verdict: Verdict, reply: str, by_six: bool) -> Kind:
        if not self._settings.enabled:
            return ""
        kind = kind_of(verdict, reply)
        return "block" if by_six and kind != "limit" else kind

    def _kept(self, queue_id: str | None, now: float) -> _Kept | None:
        """This message's time; None: it has none of its own."""
        if queue_id is None:
            return None
        kept = self._messages.get(queue_id)
        if kept is None:
            if len(self._messages) >= _MOST_MESSAGES:
                self._sweep(now)
                if len(self._messages) >= _MOST_MESSAGES:
                    return None
            kept = self._messages[queue_id] = _Kept(now)
        kept.last = now
        return kept

    def _sweep(self, now: float) -> None:
        """Forget those whose leaving nobody told."""
        if now - self._swept < _SWEEP:
            return
        self._swept = now
        for queue_id, kept in list(self._messages.items()):
            if now - kept.last > _LOST:
                del self._messages[queue_id]

    def _spell(self, key: tuple[str, str], accepted: int, now: float) -> _Spell:
        spell = self._spells.pop(key, None)
        if spell is None or now - spell.last > self._settings.quiet:
            spell = _Spell(now)
            if len(self._spells) >= _MOST_SPELLS:
                del self._spells[next(iter(self._spells))]  # the one not used for longest
        spell.last = now
        if spell.accepted is None or accepted < spell.accepted:  # it was counted anew since
            spell.accepted = accepted
        self._spells[key] = spell
        return spell

    def removed(self, queue_id: str) -> None:
        """This message left the queue."""
        if self._messages:
            self._messages.pop(queue_id, None)

    def snapshot(self) -> list[tuple[str, str, float, float]]:
        """What must survive a restart, or every restart would grant the whole time again."""
        spells = [(*key, spell.began, spell.last) for key, spell in self._spells.items()]
        return spells + [
            (f"{_OF_MESSAGE}{queue_id}", "", kept.began, kept.last)
            for queue_id, kept in self._messages.items()
        ]

    def restore(self, rows: list[tuple[str, str, float, float]], shift: float, now: float) -> None:
        """Take a snapshot back, its times moved by `shift`."""
        for receiver, rule, began, last in rows:
            began, last = min(began + shift, now), min(last + shift, now)
            queue_id = receiver.removeprefix(_OF_MESSAGE)
            if queue_id == receiver:
                if rule and len(self._spells) < _MOST_SPELLS:
                    spell = self._spells[receiver, rule] = _Spell(began)
                    spell.last = last
            elif _QUEUE_ID.fullmatch(queue_id) and len(self._messages) < _MOST_MESSAGES:
                self._messages[queue_id] = _Kept(began, last)
