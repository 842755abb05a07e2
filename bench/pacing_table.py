"""The tables of the proving ground, and where, when and on what code they were measured.

Contract: `limited` and `free` make a row of what was played, `table` joins them, `publish` puts a
text between its marks in bench/README.md. `State` is read at the start and compared at the end, so
that a table of two different programs says so. Failure: `CalledProcessError` from git.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.ground import Scenario
from bench.pacing_run import Outcome

__all__ = ["Pair", "State", "free", "limited", "publish", "table"]

_HERE = Path(__file__).resolve().parent
_README = _HERE / "README.md"
_CODE = ("rules", "logparse", "policyd", "bench", "tests/lab", "contrib/postfix")
_BACKOFF = 300.0  # Postfix's minimal_backoff_time and queue_run_delay
_LIMITED = (
    "| receiver | ideal | stock: delivered, time | refused | mxheed: delivered, time | ÷ ideal "
    "| refused | of stock's | half were there after, stock → mxheed | hold lines a delivery "
    "| connections a message, stock → mxheed | bounced, stock → mxheed |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)
_FREE = (
    "| receiver | messages | stock | mxheed | speed lost (median of pairs) "
    "| CPU s: Postfix alone → beside mxheed | mxheed | hold lines a delivery "
    "| connections a message, stock → mxheed | bounced |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


class Pair(NamedTuple):
    """Both ways to play one scenario."""

    stock: Outcome
    mxheed: Outcome


class State(NamedTuple):
    """The code and the machine at one moment."""

    time: float
    commit: str
    clean: bool
    digest: str
    load: float

    @classmethod
    def now(cls) -> State:
        """As it is."""
        digest = hashlib.sha256()
        for folder in _CODE:
            for path in sorted((_HERE.parent / folder).rglob("*")):
                if path.suffix in (".py", ".yaml", ".json", ".cf"):
                    digest.update(path.read_bytes())
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *_CODE)
        return cls(
            time.time(), _git("rev-parse", "--short", "HEAD"), not changed, digest.hexdigest(),
            os.getloadavg()[0],
        )  # fmt: skip

    def told(self, end: State) -> str:
        """When, on what and under which load was measured between this moment and `end`."""
        code = f"commit {self.commit}" + ("" if self.clean else " with changes not committed")
        if end.digest != self.digest:
            code += ", **and the code changed meanwhile**"
        minutes, seconds = divmod(round(end.time - self.time), 60)
        return (
            f"Measured on {time.strftime('%-d %B %Y, %H:%M', time.gmtime(self.time))} UTC in one "
            f"run of {minutes} min {seconds} s: {code}, Postfix {_postfix()}, "
            f"{os.cpu_count()} cores, load {self.load:.1f} at the start and {end.load:.1f} at the "
            "end.\n"
        )


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_HERE.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _postfix() -> str:
    command = ["postconf", "-d", "-h", "mail_version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def limited(scenario: Scenario, pair: Pair) -> str:
    """The row of a receiver with a limit."""
    stock, mxheed = pair
    share = f"{mxheed.refusals / stock.refusals:.1%}" if stock.refusals else "–"
    return (
        f"| {scenario.name}: {scenario.says}{_others(scenario, pair)} | {scenario.ideal:g} s "
        f"| {_delivered(scenario, stock)}{_later(scenario, stock)} | {_refused(stock)} "
        f"| {_delivered(scenario, mxheed)} | {mxheed.seconds / scenario.ideal:.2f} "
        f"| {_refused(mxheed)} | {share} "
        f"| {_half(scenario, stock)} → {_half(scenario, mxheed)} | {mxheed.held_per_delivery:.2f} "
        f"| {stock.connections_per_message:.2f} → {mxheed.connections_per_message:.2f} "
        f"| {stock.bounced} → {mxheed.bounced} |\n"
    )


def _others(scenario: Scenario, pair: Pair) -> str:
    """How long mail beside it that nobody blames was in the queue."""
    if not scenario.blamed:
        return ""
    (half, last), (our_half, our_last) = pair.stock.others, pair.mxheed.others
    return (
        f" (all other mail in the queue: median {half:.2f} → {our_half:.2f} s, "
        f"longest {last:.2f} → {our_last:.2f} s)"
    )


def _delivered(scenario: Scenario, outcome: Outcome) -> str:
    whole = "all" if outcome.delivered >= scenario.judged else f"{outcome.delivered}"
    return f"{whole} of {scenario.judged}, {outcome.seconds:.1f} s"


def _refused(outcome: Outcome) -> str:
    """Recipients, and in how many transactions they were refused where that differs."""
    if outcome.refusals == outcome.refused_messages:
        return str(outcome.refusals)
    return f"{outcome.refusals} (in {outcome.refused_messages})"


def _half(scenario: Scenario, outcome: Outcome) -> str:
    """The median of all deliveries, those to come included."""
    if outcome.delivered <= scenario.judged / 2:
        return f"≥ {_BACKOFF:.0f} s"
    return f"{outcome.median:.1f} s"


def _later(scenario: Scenario, stock: Outcome) -> str:
    """What is left waits for Postfix's back-off: how long at least, if each turn takes as much."""
    left = scenario.judged - stock.delivered - stock.bounced
    if left <= 0:
        return ""
    if not stock.delivered:
        return f"; the rest ≥ {_BACKOFF:.0f} s"
    return f"; the rest ≥ {math.ceil(left / stock.delivered) * _BACKOFF:.0f} s"


def free(scenario: Scenario, pairs: Sequence[Pair]) -> str:
    """The row of a receiver without a limit: medians."""
    stock, mxheed = [pair.stock for pair in pairs], [pair.mxheed for pair in pairs]
    loss = statistics.median(1 - pair.mxheed.rate / pair.stock.rate for pair in pairs)
    middle = statistics.median
    return (
        f"| {scenario.name}: {scenario.says} | {scenario.recipients} "
        f"| {middle(one.rate for one in stock):.0f}/s | {middle(one.rate for one in mxheed):.0f}/s "
        f"| {loss:+.1%} | {middle(one.cpu.postfix for one in stock):.2f} "
        f"→ {middle(one.cpu.postfix for one in mxheed):.2f} "
        f"| {middle(one.cpu.mxheed for one in mxheed):.2f} "
        f"| {middle(one.held_per_delivery for one in mxheed):.2f} "
        f"| {middle(one.connections_per_message for one in stock):.2f} "
        f"→ {middle(one.connections_per_message for one in mxheed):.2f} "
        f"| {max(one.bounced for one in mxheed)} |\n"
    )


def table(limited_rows: Sequence[str], free_rows: Sequence[str], pairs: int) -> str:
    """All rows under their heads."""
    text = ""
    if limited_rows:
        text += "\n" + _LIMITED + "".join(limited_rows)
    if free_rows:
        text += f"\nReceivers that do not limit, {pairs} interleaved pairs, medians:\n\n" + _FREE
        text += "".join(free_rows)
    return text


def publish(text: str, mark: str = "pacing", title: str = "Pacing") -> None:
    """Put a text between its marks in the README, under a section of its own if they are new."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    readme = _README.read_text() if _README.exists() else "# Measurements\n"
    if begin not in readme:
        readme += f"\n## {title}\n\n{begin}{end}"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    _README.write_text(re.sub(pattern, lambda _: begin + text + end, readme, flags=re.S))
