"""Writes the sample day: one Postfix server's log of 24 hours, played out from `cast` with a seed.

`python -m policyd.sample.make [FILE]` writes FILE (default: mail.log.gz beside this module). The
same seed gives the same bytes before compression on every Python; a test plays it again and
compares. Contract: pure but for the final write. Failure: OSError of the target file.
"""

from __future__ import annotations

import gzip
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from policyd.sample import texts
from policyd.sample.cast import CAST, OUR_ADDRESS, CastHost, CastReceiver, Incident

__all__ = ["DAY", "TARGET", "main", "play", "render"]

DAY = datetime(2026, 11, 17, tzinfo=UTC)
TARGET = Path(__file__).with_name("mail.log.gz")

_HOUR = 3600.0
_SEED = 550_571
_EVERYDAY, _NEWS, _BUSINESS = 1700, 520, 170
_BACKOFF, _BACKOFF_MAX = 300.0, 4000.0
_HEX = "0123456789ABCDEF"
_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


class SampleLine(NamedTuple):
    """One log line before it gets its stamp."""

    at: float  # seconds since the day began
    order: int  # keeps the lines of one moment in the order they were written
    text: str


class SampleMessage(NamedTuple):
    """One message to one recipient, in Postfix's queue from `at` on."""

    at: float
    kind: str
    receiver: CastReceiver
    domain: str
    rcpt: str
    qid: str


class _Log:
    """Collects lines and remembers the order of writing."""

    def __init__(self) -> None:
        self.lines: list[SampleLine] = []

    def add(self, at: float, service: str, pid: int, text: str) -> None:
        """One line of `service` at second `at` of the day."""
        self.lines.append(SampleLine(at, len(self.lines), f"mx1 postfix/{service}[{pid}]: {text}"))


def play(seed: int = _SEED) -> list[SampleLine]:
    """All lines of the day in order of time."""
    rng, log = Random(seed), _Log()
    for message in sorted(_messages(rng), key=lambda message: message.at):
        _arrive(log, rng, message)
        _deliver(log, rng, message)
    _circular(log, rng)
    return sorted(line for line in log.lines if line.at < 24 * _HOUR)


def render(lines: list[SampleLine]) -> bytes:
    """The log as rsyslog would have written it, with RFC 3339 stamps in UTC."""
    out = []
    for line in lines:
        stamp = (DAY + timedelta(seconds=round(line.at, 2))).isoformat(timespec="microseconds")
        out.append(f"{stamp} {line.text}\n")
    return "".join(out).encode()


def _messages(rng: Random) -> Iterator[SampleMessage]:
    weights = [receiver.weight for receiver in CAST]
    for kind, count in (("t", _EVERYDAY), ("n", _NEWS), ("b", _BUSINESS)):
        for _ in range(count):
            receiver = rng.choices(CAST, weights)[0]
            if kind == "n" and len(receiver.domains) > 20:  # the newsletter has private readers
                receiver = CAST[0]
            if kind == "b":  # the imported list of a business customer
                receiver = CAST[1]
            domain = rng.choice(receiver.domains)
            rcpt = f"reader{rng.randrange(9000) + 1000}@{domain}"
            at = _arrival(rng, kind)
            yield SampleMessage(at, kind, receiver, domain, rcpt, _queue_id(rng, at))


def _arrival(rng: Random, kind: str) -> float:
    if kind == "n":
        return (6.05 + rng.random() * 0.55) * _HOUR
    if kind == "b":
        return (16.0 + rng.random() * 0.5) * _HOUR
    while True:  # quiet nights, two humps by day
        hour = rng.random() * 24
        hump = math.exp(-(((hour - 10.5) / 2.6) ** 2)) + 0.8 * math.exp(-(((hour - 16) / 3.2) ** 2))
        if rng.random() < 0.12 + 0.88 * min(1.0, hump):
            return hour * _HOUR


def _queue_id(rng: Random, at: float) -> str:
    """A long queue id as Postfix builds it: the time in base 52, z, the inode in base 51."""
    seconds, micros = divmod(DAY.timestamp() + at, 1)
    inode = _digits(200_000 + rng.randrange(99), 51, 4)
    return f"{_digits(int(seconds), 52, 6)}{_digits(int(micros * 1e6), 52, 4)}z{inode}"


def _digits(number: int, base: int, width: int) -> str:
    text = ""
    while number or len(text) < width:
        number, digit = divmod(number, base)
        text = _BASE52[digit] + text
    return text


def _arrive(log: _Log, rng: Random, message: SampleMessage) -> None:
    sender = {"t": "shop", "n": "news", "b": "crm"}[message.kind]
    qid, at, pid = message.qid, message.at, 2000 + rng.randrange(40)
    if message.kind == "n":
        log.add(at, "pickup", 1710, f"{qid}: uid=33 from=<{sender}@news.example.org>")
    else:
        client = "client=app1.example.org[198.51.100.7], sasl_method=PLAIN, sasl_username=app"
        log.add(at, "submission/smtpd", pid, f"{qid}: {client}")
    ident = f"<{int(at * 1000)}.{sender}@news.example.org>"
    log.add(at + 0.01, "cleanup", pid + 100, f"{qid}: message-id={ident}")


def _deliver(log: _Log, rng: Random, message: SampleMessage) -> None:
    """Attempts with Postfix's own back-off until the mail is gone or the day is over."""
    at, attempt = message.at + 0.03, 0
    while at < 24 * _HOUR:
        size = 1800 + int(message.at) % 9000
        active = f"{message.qid}: from=<bounce@news.example.org>, size={size}, nrcpt=1"
        log.add(at, "qmgr", 1711, f"{active} (queue active)")
        status = _attempt(log, rng, message, at, attempt)
        if status != "deferred":
            log.add(at + 8.5, "qmgr", 1711, f"{message.qid}: removed")
            return
        age = at - message.at
        at += min(max(age, _BACKOFF), _BACKOFF_MAX) + rng.random() * 300
        attempt += 1


def _circular(log: _Log, rng: Random) -> None:
    """Messages to many at once, at a receiver that takes ten at a time."""
    receiver = next(receiver for receiver in CAST if receiver.name == "barracuda")
    for hour in (9.2, 13.4, 17.9):
        at, domain = hour * _HOUR, receiver.domains[0]
        rcpts = [f"member{number}@{domain}" for number in range(1, 15)]
        one = SampleMessage(at, "t", receiver, domain, rcpts[0], _queue_id(rng, at))
        _arrive(log, rng, one)
        for start, wait in ((0, 0.03), (10, 420.0)):
            active = f"{one.qid}: from=<bounce@news.example.org>, size=3120, nrcpt={14 - start}"
            log.add(at + wait, "qmgr", 1711, f"{active} (queue active)")
            for number, rcpt in enumerate(rcpts[start:]):
                _shared(log, one._replace(rcpt=rcpt), at + wait, refused=number >= 10)
        log.add(at + 428.0, "qmgr", 1711, f"{one.qid}: removed")


def _shared(log: _Log, message: SampleMessage, at: float, *, refused: bool) -> None:
    """One recipient's line of a session that several recipients of a message share."""
    host = message.receiver.hosts[0]
    where = f"{host.name}[{host.address}]"
    status, dsn, reason = "sent", "2.0.0", "250 Ok: queued as 5C0FFEE1"
    if refused:
        status, dsn = "deferred", "4.5.3"
        reason = f"host {where} said: {texts.TOO_MANY} (in reply to RCPT TO command)"
    age = max(0.0, at - message.at - 0.02)
    log.add(
        at + 3.2,
        "smtp",
        3077,
        f"{message.qid}: to=<{message.rcpt}>, relay={where}:25, delay={_seconds(age + 3.2)}, "
        f"delays={_seconds(age)}/0.01/0.9/2.3, dsn={dsn}, status={status} ({reason})",
    )


def _attempt(log: _Log, rng: Random, message: SampleMessage, at: float, attempt: int) -> str:
    receiver, pid = message.receiver, 3000 + rng.randrange(60)
    host = _host(rng, message)
    incident = _incident(rng, message, at, attempt)
    connect = receiver.connect * (0.6 + rng.expovariate(2.0))
    send = receiver.send * (0.5 + rng.expovariate(2.0))
    if incident is not None and incident.where == "none":
        _unreachable(log, rng, message, at, host)
        return "deferred"
    where = f"{host.name}[{host.address}]"
    if incident is None:
        status, dsn = "sent", "2.0.0"
        reason = _fill(receiver.accept, rng, message)
    else:
        status = "deferred" if incident.dsn[0] == "4" else "bounced"
        dsn, reply = incident.dsn, _fill(incident.text, rng, message)
        if incident.where == "connect":
            send, reason = 0.0, f"host {where} refused to talk to me: {reply}"
        else:
            send *= 0.4
            reason = f"host {where} said: {reply} (in reply to {incident.where} command)"
    age = max(0.0, at - message.at - 0.02)
    delays = "/".join(_seconds(part) for part in (age, 0.01, connect, send))
    log.add(
        at + connect + send,
        "smtp",
        pid,
        f"{message.qid}: to=<{message.rcpt}>, relay={where}:25, delay="
        f"{_seconds(age + connect + send)}, delays={delays}, dsn={dsn}, status={status} ({reason})",
    )
    return status


def _incident(rng: Random, message: SampleMessage, at: float, attempt: int) -> Incident | None:
    receiver, hour = message.receiver, at / _HOUR
    if receiver.greylist and attempt == 0:
        return Incident(0, 24, 1.0, "4.2.0", "RCPT TO", receiver.greylist)
    for incident in receiver.incidents:
        active = incident.start <= hour < incident.end and message.kind in incident.kinds
        if active and rng.random() < incident.share:
            return incident
    return None


def _unreachable(log: _Log, rng: Random, message: SampleMessage, at: float, host: CastHost) -> None:
    """One real time-out now and then, for the rest the queue manager's echo of it."""
    reason = f"connect to {host.name}[{host.address}]:25: Connection timed out"
    age, service, wait = at - message.at, "smtp", 30.0
    if rng.random() < 0.6:
        reason, service, wait = f"delivery temporarily suspended: {reason}", "error", 0.0
    delays = "/".join(_seconds(part) for part in (age, 0.01, wait, 0))
    log.add(
        at + wait,
        service,
        3900,
        f"{message.qid}: to=<{message.rcpt}>, relay=none, delay={_seconds(age + wait)}, "
        f"delays={delays}, dsn=4.4.1, status=deferred ({reason})",
    )


def _host(rng: Random, message: SampleMessage) -> CastHost:
    host = rng.choice(message.receiver.hosts)
    return host._replace(name=host.name.replace("{tenant}", message.domain.replace(".", "-")))


def _fill(text: str, rng: Random, message: SampleMessage) -> str:
    token = "".join(rng.choice(_HEX) for _ in range(6))
    values = {"rcpt": message.rcpt, "ip": OUR_ADDRESS, "domain": message.domain, "token": token}
    return text.format_map(values)


def _seconds(value: float) -> str:
    """A time as Postfix logs it: two significant digits, at most two decimals."""
    if value >= 10:
        return str(int(value))
    digits = f"{value:.1f}" if value >= 1 else f"{value:.2f}"
    return digits.rstrip("0").rstrip(".")


def main(target: Path = TARGET) -> None:
    """Plays the day and writes it."""
    target.write_bytes(gzip.compress(render(play()), 9, mtime=0))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
