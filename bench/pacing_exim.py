"""The proving ground with Exim: Debian's own, stock beside one that asks mxheed.

`python -m bench.pacing_exim NAME…` (as root) plays scenarios of `bench/ground.py`, each in two labs
of its own, and prints a table. What mxheed is told of limits: nothing. Both accept any number of
messages a connection for immediate delivery (Debian's ten would leave the others to queue runs).

Failure: `LabError`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass

from bench.ground import SCENARIOS, Scenario
from policyd.exim.lines import Wanted, gate
from tests.lab import Lab, LabError
from tests.lab.exim import ADDRESS

__all__ = ["EximOutcome", "main", "play"]

_STALLED = 10.0  # stock Exim's next try is a quarter of an hour away
_USUAL = ("window", "grey-hint", "blocking")
_BOTH = "smtp_accept_queue_per_connection = 0\n"
_CONFIG = {"log": {"path": ["/var/log/exim4/mainlog"]}}


@dataclass(frozen=True)
class EximOutcome:
    """What became of the mail."""

    delivered: int
    seconds: float  # from the first submission to the last delivery
    refusals: int
    bounced: int
    held: int  # log lines


def play(scenario: Scenario, mxheed: bool) -> EximOutcome:
    """Play it."""
    with Lab("debian") as lab:
        ours = gate(Wanted("/run/mxheed/exim", "/run/mxheed/alive")) if mxheed else ""
        lab.exim.configure(_BOTH + ours)
        lab.exim.start()
        if mxheed:
            lab.check("touch", "/var/log/exim4/mainlog")
            lab.mxheed.start(_CONFIG)
        receiver = lab.receiver(
            scenario.name, domains=scenario.domains, latency=scenario.latency, **scenario.plays
        )
        begin = time.time()
        lab.submit(scenario.mail, host=ADDRESS)
        progress = [0, time.time()]

        def finished() -> bool:
            done = len(receiver.taken()) + len(lab.exim.lines("**"))
            if done > progress[0]:
                progress[:] = done, time.time()
            stalled = not mxheed and time.time() - progress[1] > _STALLED
            return stalled or done >= scenario.recipients

        with contextlib.suppress(LabError):
            lab.until(finished, "all delivered", scenario.seconds)
        times = [one["t"] - begin for one in receiver.events("data") if one["reply"] == "250"]
        bounced, held = (len(lab.exim.lines(words)) for words in ("**", "domain is held"))
        return EximOutcome(
            len(receiver.taken()), max(times, default=0.0), len(receiver.refused()), bounced, held
        )


def main(names: tuple[str, ...]) -> None:
    """Print the table."""
    print("| receiver | ideal | | delivered | seconds | refused | bounced | held lines |")
    print("|---|---|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        if scenario.name not in names:
            continue
        for mxheed in (False, True):
            got = play(scenario, mxheed)
            who = "Exim with mxheed" if mxheed else "stock Exim"
            share = f"{got.delivered} of {scenario.recipients}"
            print(
                f"| {scenario.says} | {scenario.ideal:g} s | {who} | {share} | {got.seconds:.1f} | "
                f"{got.refusals} | {got.bounced} | {got.held} |",
                flush=True,
            )


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or _USUAL)
