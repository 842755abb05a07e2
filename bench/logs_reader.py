"""What the benchmark measures: mxheed's whole way from a file to counters, in one process.

    python -m bench.logs_reader [--listen] FILE

Prints the lines read, the deliveries counted, and the CPU seconds between opening the file and the
last line. Rules, receivers and counters are the real ones; `--listen` hands every value to a
callback, as the daemon does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import rules
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from policyd.receiver.rollup import Receivers

_BLOCK = 1 << 16


def main() -> None:
    """Reads one file."""
    ruleset = rules.load()
    receivers = Receivers(ruleset.receivers)

    def receiver_of(host: str | None, address: str | None, domain: str) -> str:
        name = host or address
        return receivers.of_host(name) if name else receivers.of_domain(domain).receiver

    heard = 0

    def listen(*_: object) -> None:
        nonlocal heard
        heard += 1

    counters = Counters()
    listening = "--listen" in sys.argv
    pipeline = Pipeline(
        rules.Classifier(ruleset).classify,
        receiver_of,
        counters,
        on_attempt=listen if listening else None,
        sent=listening,
    )
    receivers.of_host("mx.warm.example")  # loads the list of public suffixes, once per start
    path = Path(sys.argv[-1])
    now = path.stat().st_mtime
    started = time.process_time()
    with path.open("rb", buffering=0) as file:
        rest = b""
        while data := file.read(_BLOCK):
            end = data.rfind(b"\n") + 1
            pipeline.process(rest + data[:end], now)
            rest = data[end:]
    seconds = time.process_time() - started
    print(counters.lines, sum(counters.deliveries().values()), heard, seconds)


if __name__ == "__main__":
    main()
