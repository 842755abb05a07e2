"""Coverage-guided fuzzing of everything that reads text from outside.

    python -m bench.fuzz [--seconds 60] [logs|replies|pipeline]

logs: any bytes, cut into blocks anywhere between lines, give the same events and raise nothing.
replies: any text is unfolded and judged. pipeline: the fast path and the long way count alike.
Needs atheris; seeds are made from the generators' lines. A finding is an exception: libFuzzer
prints it with the input and leaves a crash file in the working directory; an input that takes
longer than `_TIMEOUT` seconds is one too. Without arguments each target runs in turn.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC
from itertools import islice
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["logparse", "rules", "policyd"]):
    import rules
    from logparse.auto import AutoParser
    from logparse.events import Delivery, Event, Removed
    from logparse.reply import code_of, unfold
    from policyd.counting.counters import Counters
    from policyd.counting.pipeline import Pipeline
    from rules.verdict import Verdict

from bench.genlog import Exim, Postfix
from bench.logs_worst import KINDS

_NOW = 1_795_500_000.0
_TIMEOUT = 5
_TOKENS = (
    ": to=<", ">, relay=", ", orig_to=<", ", delay=", ", delays=", ", dsn=", ", status=", " said: ",
    " (in reply to RCPT TO command))", "delivery temporarily suspended: ", "connect to ", "removed",
    "status=expired, returned to sender", "MESSAGE=", "__REALTIME_TIMESTAMP=", "SYSLOG_IDENTIFIER=",
    " => ", " == ", " ** ", " defer (-44)", "H=", "C=\\\"", " R=r T=t", "Completed", "exim[1]: ",
    " stdout F ", " stdout P ", "postfix/smtp[1]: ", "retry time not reached", "[1/2] ",
)  # fmt: skip


def _events(parser: AutoParser, *blocks: bytes) -> list[Event]:
    return [event for block in blocks for event in parser.feed(block, _NOW)]


def logs(data: bytes) -> None:
    """Parses bytes as a whole and in two blocks."""
    text = data[1:]
    if not text.endswith(b"\n"):
        text += b"\n"
    at = text.find(b"\n", len(text) * (data[0] if data else 0) // 256) + 1
    whole = _events(AutoParser(UTC), text)
    halves = _events(AutoParser(UTC), text[:at], text[at:])
    # in one block Postfix's events come before Exim's
    if sorted(map(repr, whole)) != sorted(map(repr, halves)):
        raise AssertionError(f"blocks matter: {whole} {halves}")
    for event in whole:
        if isinstance(event, Delivery | Removed) and not event.queue_id:
            raise AssertionError(f"no queue id: {event}")


_classifier = rules.Classifier(rules.load())


def replies(data: bytes) -> None:
    """Unfolds and judges a text."""
    text = data.decode("utf-8", "backslashreplace")
    line = unfold(text)
    code_of(line)
    if unfold(line) != line.strip():
        again = unfold(line)
        if unfold(again) != again:
            raise AssertionError(f"unfolding never ends: {text!r}")
    _classifier.classify(text)


def _verdict(reply: str, **_: object) -> Verdict:
    category = "unknown" if len(reply) % 2 else "flow.rate"
    return Verdict(category, None, None, "message", "retry", False)


def _receiver(host: str | None, address: str | None, domain: str) -> str:
    return f"mx:{host or address or domain}"


def pipeline(data: bytes) -> None:
    """Counts with and without a listener."""
    short = Pipeline(_verdict, _receiver, Counters(8))
    long = Pipeline(_verdict, _receiver, Counters(8), on_attempt=lambda d, r, v: None, sent=True)
    for block in (data + b"\n", data + b"\n"):  # the second time every relay is known
        short.process(block, _NOW)
        long.process(block, _NOW)
    if sorted(map(repr, short.counters.dump())) != sorted(map(repr, long.counters.dump())):
        raise AssertionError(f"{short.counters.dump()} {long.counters.dump()}")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "logs": logs,
    "replies": replies,
    "pipeline": pipeline,
}


def _seed(directory: Path) -> None:
    lines = [*islice(Postfix(1).lines(), 60), *islice(Postfix(2, "rfc3339").lines(), 40)]
    lines += [*islice(Exim(1).lines(), 40), *(text.encode() for text in KINDS.values())]
    for number, line in enumerate(lines):
        (directory / f"line{number}").write_bytes(b"x" + line)
    (directory / "tokens.dict").write_text("".join(f'"{token}"\n' for token in _TOKENS))


def _run(target: str, seconds: int) -> None:
    """Does not return: libFuzzer ends the process."""
    with tempfile.TemporaryDirectory(prefix="mxheed-fuzz-") as name:
        corpus = Path(name) / "corpus"
        corpus.mkdir()
        _seed(corpus)
        words = (corpus / "tokens.dict").rename(Path(name) / "tokens.dict")
        options = [f"-max_total_time={seconds}", f"-timeout={_TIMEOUT}", "-max_len=4096"]
        options += [f"-dict={words}", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target])
        atheris.Fuzz()


def main() -> int:
    """Fuzzes one target, or all of them one after the other."""
    parser = argparse.ArgumentParser(description="Fuzzes the parsers.")
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="per target")
    options = parser.parse_args()
    if options.target:
        _run(options.target, options.seconds)
        return 0
    failed = 0
    for target in TARGETS:
        print(f"== {target}: {options.seconds} s", flush=True)
        command = [sys.executable, "-m", "bench.fuzz", target, "--seconds", str(options.seconds)]
        failed += subprocess.run(command, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
