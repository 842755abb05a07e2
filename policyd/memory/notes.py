"""What is noted of single events until the next commit: changes, samples, texts, trails.

Contract: `heard` takes a judged attempt's evidence with the name of its row in the counters; `gone`
a message that left the queue. Only messages that were held or deferred have a trail; it ends with
`gone`. `take` is everything since the last time, `put_back` the way back. Replies are kept as they
were said for the moments until they are written; there they are masked.
Failure: each kind has a bound; what came beyond it between two commits is counted in `left_out`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from policyd.bounded import Bounded
from policyd.memory.settings import MemorySettings
from policyd.memory.states import Transition
from policyd.throttle.evidence import Evidence

__all__ = ["KEPT_SAMPLES", "Heard", "HeardText", "Notes", "Step", "TakenNotes"]

KEPT_SAMPLES = 20  # of each receiver and rule
_MOST = 5000  # of each kind, between two commits
_TRAILS = 50_000  # messages

_WAITS = ("deferred", "held", "suspended")


class Heard(NamedTuple):
    """A reply that was judged."""

    time: float
    receiver: str
    rule: str
    category: str
    stage: str
    host: str
    reply: str


class HeardText(NamedTuple):
    """A reply that was heard so often, first and last."""

    times: int
    first: Heard
    last: float


class Step(NamedTuple):
    """What became of one recipient of a message."""

    queue_id: str
    time: float
    event: str
    receiver: str
    recipient: str
    host: str
    category: str
    rule: str
    reply: str


class TakenNotes(NamedTuple):
    """What is to be written."""

    transitions: list[Transition]
    samples: list[Heard]
    texts: dict[tuple[str, str, str], HeardText]  # by receiver, rule and reply
    steps: list[Step]
    ended: dict[str, float]


class Notes:
    """See the module."""

    def __init__(self, settings: MemorySettings) -> None:
        self.settings = settings
        self.left_out = 0
        self._trailed: Bounded[str, bool] = Bounded(_TRAILS)
        self._clear()

    def _clear(self) -> None:
        self._samples: dict[tuple[str, str], deque[Heard]] = {}
        self._notes = TakenNotes([], [], {}, [], {})

    def begin(self, queue_ids: Iterable[str]) -> None:
        """These messages have a trail, and were not seen to end."""
        for queue_id in queue_ids:
            self._trailed[queue_id] = True

    def transition(self, change: Transition) -> None:
        """A lane's change."""
        if self.settings.transitions:
            self._room(self._notes.transitions, change)

    def heard(self, evidence: Evidence, row: str, time: float) -> None:
        """What became of a recipient."""
        if evidence.category and self.settings.samples:
            self._sample(evidence, row, time)
        if not self.settings.trails:
            return
        queue_id = evidence.queue_id
        if evidence.outcome in _WAITS:
            self._trailed[queue_id] = True
        elif queue_id not in self._trailed:
            return
        step = Step(
            queue_id, time, evidence.outcome, evidence.receiver, evidence.recipient,
            evidence.host, evidence.category, evidence.rule or "", evidence.reply,
        )  # fmt: skip
        self._room(self._notes.steps, step)

    def gone(self, queue_id: str, time: float) -> None:
        """A message left the queue."""
        if self._trailed.pop(queue_id):
            self._notes.ended[queue_id] = time

    def _sample(self, evidence: Evidence, row: str, time: float) -> None:
        rule = evidence.rule or ""
        heard = Heard(
            time, row, rule, evidence.category, evidence.stage or "", evidence.host, evidence.reply
        )
        latest = self._samples.get((row, rule))
        if latest is None:
            if len(self._samples) >= _MOST:
                self.left_out += 1
                return
            latest = self._samples[row, rule] = deque(maxlen=KEPT_SAMPLES)
        latest.append(heard)
        texts, key = self._notes.texts, (row, rule, evidence.reply)
        known = texts.get(key)
        if known or len(texts) < _MOST:
            texts[key] = HeardText(
                known.times + 1 if known else 1, known.first if known else heard, time
            )
        else:
            self.left_out += 1

    def _room(self, rows: list[object] | list[Step] | list[Transition], row: object) -> None:
        if len(rows) < _MOST:
            rows.append(row)  # type: ignore[arg-type]
        else:
            self.left_out += 1

    def take(self) -> TakenNotes:
        """Everything since the last time."""
        notes = self._notes
        notes.samples[:0] = [heard for latest in self._samples.values() for heard in latest]
        self._clear()
        return notes

    def put_back(self, taken: TakenNotes) -> None:
        """It could not be written: it comes before what came since."""
        since = self.take()
        texts = dict(taken.texts)
        for key, text in since.texts.items():
            known = texts.get(key)
            texts[key] = (
                HeardText(known.times + text.times, known.first, text.last) if known else text
            )
        most = slice(-_MOST, None)
        self._notes = TakenNotes(
            (taken.transitions + since.transitions)[most],
            (taken.samples + since.samples)[most],
            dict(list(texts.items())[most]),
            (taken.steps + since.steps)[most],
            dict([*taken.ended.items(), *since.ended.items()][-_TRAILS:]),
        )
