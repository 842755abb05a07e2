"""What becomes of mail when mxheed is killed, stopped, robbed of its state, or its log is rotated.

`python -m bench.faults [FAULT…]`, as root. Each fault is done to a daemon beside a real Postfix
whose mail flows to a receiver with a limit, and more mail comes in meanwhile. The receiver counts:
each message once, none bounced, and how long after the fault's end the last one came, beyond the
time that the limit needs for what was left. Prints a table; without arguments it is also written to
bench/README.md, section "Faults". Exit code 1: a message was lost, doubled, bounced or stranded.
Failure: `LabError` from a lab that does not start.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.pacing_table import State, publish
from tests.lab import Lab, ReceiverView

__all__ = ["FAULTS", "STRANDED", "Suffered", "main", "stopped", "suffer"]

STRANDED = 30.0  # seconds beyond what the limit needs, after the fault's end
_START = 60.0  # seconds that a start may take on a busy machine
_LIMIT, _PER = 20, 2.0
_SAYS = "421 4.7.28 Our system has detected an unusual rate of mail from your address"
_LOG = "/var/log/mail.log"
_STATE = "/var/lib/mxheed"
_OPEN = {"serve": {"submission": {"suspended": "dunno"}}}


class Suffered(NamedTuple):
    """What the receiver and Postfix's log say."""

    messages: int
    delivered: int  # different ones
    doubled: int
    bounced: int
    fault: float  # seconds it lasted
    left: int  # to be delivered when it ended
    after: float  # seconds from then to the last delivery

    @property
    def late(self) -> float:
        """Seconds beyond what the limit needs for what was left."""
        return max(0.0, self.after - self.left * _PER / _LIMIT)

    @property
    def well(self) -> bool:
        """Whether nothing was lost, doubled, bounced or stranded."""
        exact = self.delivered == self.messages and not self.doubled and not self.bounced
        return exact and self.late <= STRANDED


def _away(seconds: float) -> Callable[[Lab], None]:
    def fault(lab: Lab) -> None:
        lab.mxheed.kill()
        time.sleep(seconds)
        lab.mxheed.launch(_START)

    return fault


def _thrice(lab: Lab) -> None:
    """The log moves between kill and start, and the configuration is read anew after each."""
    for turn in range(3):
        lab.mxheed.kill()
        lab.check("mv", _LOG, f"{_LOG}.{turn}")
        lab.check("install", "-m", "644", "/dev/null", _LOG)
        lab.check("postfix", "reload")
        time.sleep(1.0)
        lab.mxheed.launch(_START)
        if lab.mxheed.cli("reload").code:
            raise RuntimeError("the configuration was not taken")
        time.sleep(1.0)


def stopped(seconds: float) -> Callable[[Lab], None]:
    """Hung for so long, and well again."""

    def fault(lab: Lab) -> None:
        lab.mxheed.freeze()
        time.sleep(seconds)
        lab.mxheed.thaw()

    return fault


def _robbed(lab: Lab) -> None:
    lab.mxheed.kill()
    lab.check("find", _STATE, "-mindepth", "1", "-delete")
    lab.mxheed.launch(_START)


FAULTS: dict[str, tuple[str, Callable[[Lab], None]]] = {
    "kill-1": ("kill -9, away for 1 s", _away(1.0)),
    "kill-10": ("kill -9, away for 10 s", _away(10.0)),
    "kills": ("three kills, the log rotated and a reload each time", _thrice),
    "stop": ("SIGSTOP, SIGCONT after 10 s", stopped(10.0)),
    "state": ("kill -9 and the state deleted", _robbed),
}


def suffer(lab: Lab, fault: Callable[[Lab], None], messages: int) -> Suffered:
    """Do it in a lab whose Postfix runs and is empty; half of the mail comes while it lasts."""
    lab.mxheed.start(_OPEN, seconds=_START)
    receiver = lab.receiver("limited", "window", limit=_LIMIT, per=_PER, reply=_SAYS, domains=10)
    mail = [f"user{number}@d{number % 10}.limited.test" for number in range(messages)]
    half = messages // 2
    lab.submit([(one,) for one in mail[:half]])
    lab.until(receiver.refused, "the limit is met")
    begin = time.time()
    fault(lab)
    end = time.time()
    lab.submit([(one,) for one in mail[half:]])
    left = messages - len(receiver.taken())
    seconds = left * _PER / _LIMIT + STRANDED + 30.0
    _settle(lab, receiver, messages, seconds)
    return _outcome(lab, receiver, mail, begin, end)


def _settle(lab: Lab, receiver: ReceiverView, messages: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while len(receiver.taken()) < messages and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(1.0)  # for what may come twice


def _outcome(
    lab: Lab, receiver: ReceiverView, mail: Sequence[str], begin: float, end: float
) -> Suffered:
    taken = Counter(receiver.taken())
    times = [event["t"] for event in receiver.events("data") if event["reply"] == "250"]
    logs = (lab.directory / "log").glob("mail.log*")
    return Suffered(
        messages=len(mail),
        delivered=len(set(mail) & set(taken)),
        doubled=sum(taken.values()) - len(taken),
        bounced=sum(path.read_text("utf-8", "replace").count("status=bounced") for path in logs),
        fault=end - begin,
        left=len(mail) - sum(1 for when in times if when <= end),
        after=max(times, default=end) - end,
    )


def row(says: str, one: Suffered) -> str:
    """One line of the table."""
    return (
        f"| {says} | {one.delivered} of {one.messages} | {one.doubled} | {one.bounced} "
        f"| {one.fault:.1f} s | {one.left} | {one.after:.1f} s | {one.late:.1f} s |\n"
    )


_HEAD = (
    "\n| fault | delivered | twice | bounced | it lasted | left then | all there after "
    "| beyond what the limit needs |\n|---|---|---|---|---|---|---|---|\n"
)


def main(names: Sequence[str]) -> int:
    """Suffer what was asked for, or everything."""
    if unknown := set(names) - set(FAULTS):
        print(f"no fault {', '.join(sorted(unknown))}; there are: {', '.join(FAULTS)}")
        return 2
    begin, table, well = State.now(), _HEAD, True
    for name, (says, fault) in FAULTS.items():
        if names and name not in names:
            continue
        with Lab("debian") as lab:
            lab.configure()
            lab.postfix.start()
            outcome = suffer(lab, fault, 300)
        well = well and outcome.well
        table += row(says, outcome)
        print(row(says, outcome), end="", flush=True)
    text = begin.told(State.now()) + table
    print(f"\n{text}")
    if not names:
        publish(text, "faults", "Faults")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
