"""Writes mail logs of any length as a busy server would: for benchmarks, soaks and property tests.

    python -m bench.genlog postfix --lines 1000000 --stamps rfc3339 > mail.log
    python -m bench.genlog exim --lines 300000 > mainlog

Contract: the same arguments give the same bytes. Lines are made one after the other, memory does
not grow with their number. About 17 % are delivery lines; recipients' domains follow Zipf's law
over `DOMAINS` names, the most popular ones behind a few large receivers, each other one with a mail
exchanger of its own. `truth` counts what was written, by outcome. Failure: none.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from random import Random
from typing import NamedTuple

__all__ = ["DOMAINS", "START", "Exim", "Postfix"]

DOMAINS = 2000
START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)

_LARGE = (
    ("gmail-smtp-in.l.google.com", "142.250.102.27", 3),
    ("outlook-com.olc.protection.outlook.com", "52.101.8.38", 3),
    ("mta6.am0.yahoodns.net", "67.195.204.77", 2),
    ("mx01.mail.icloud.com", "17.57.155.25", 1),
    ("mx00.emig.gmx.net", "212.227.15.9", 2),
    ("mx-ha.web.de", "212.227.17.8", 1),
)
_DEFERRALS = (
    "421-4.7.28 Gmail has detected an unusual rate of mail from your "
    "421-4.7.28 address. For details see the sender guidelines 421 4.7.28 {tag} - gsmtp",
    "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, please try again in 300 seconds",
    "451 4.7.500 Server busy. Please try again later from [198.51.100.25]. (S77719) {tag}",
    "421 4.7.0 [TSS04] Messages from 198.51.100.25 temporarily deferred due to unexpected volume",
    "452 4.2.2 The email account that you tried to reach is over quota {tag}",
)
_BOUNCES = (
    "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try "
    "550 5.1.1 double-checking the address {tag} - gsmtp",
    "554 5.7.1 Service unavailable; Client host [198.51.100.25] blocked using zen.spamhaus.org",
    "550 5.7.1 Message rejected due to content restrictions {tag}",
)
_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class GenPeer(NamedTuple):
    """A domain and the exchanger that takes its mail."""

    domain: str
    host: str
    address: str


class _Writer:
    """What both kinds of log share: peers, time, chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.truth: Counter[str] = Counter()
        self._clock = 0.0
        self._peers = [_peer(rank) for rank in range(DOMAINS)]
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(DOMAINS)))

    def tick(self) -> datetime:
        """A little later than before."""
        self._clock += self.random.expovariate(25.0)
        return START + timedelta(seconds=self._clock)

    def peer(self) -> GenPeer:
        """Whom the next message goes to."""
        return self.random.choices(self._peers, cum_weights=self._weights)[0]

    def recipient(self, peer: GenPeer) -> str:
        """An address there."""
        return f"user{self.random.randrange(40_000)}@{peer.domain}"

    def tag(self, length: int = 12) -> str:
        """Something no other line has."""
        return "".join(self.random.choices(_BASE62, k=length))


class Postfix(_Writer):
    """Postfix behind rsyslog; `stamps` is "traditional" or "rfc3339"."""

    def __init__(self, seed: int = 1, stamps: str = "traditional") -> None:
        super().__init__(seed)
        self._rfc3339 = stamps == "rfc3339"
        self._pids = [self.random.randrange(2_000, 60_000) for _ in range(90)]

    def lines(self) -> Iterator[bytes]:
        """The log, without end."""
        while True:
            for service, text in self._message():
                yield self._line(service, text)

    def _line(self, service: str, text: str) -> bytes:
        when = self.tick()
        if self._rfc3339:
            stamp = when.isoformat(timespec="microseconds")
        else:
            stamp = f"{when:%b} {when.day:2d} {when:%H:%M:%S}"
        name, _, pid = service.partition(" ")
        tag = f"{name}[{pid or self.random.choice(self._pids)}]"
        return f"{stamp} mx1 {tag}: {text}\n".encode()

    def _message(self) -> Iterator[tuple[str, str]]:
        chance = self.random
        qid = (
            "4"
            + "".join(chance.choices(_BASE52, k=9))
            + "z"
            + "".join(chance.choices(_BASE52, k=4))
        )
        client = f"app{chance.randrange(9)}.example.org[10.1.2.{chance.randrange(2, 250)}]"
        sender = f"bounce-{chance.randrange(90_000)}@news.example.org"
        peer = self.peer()
        recipients = chance.choices((1, 2, 3), (80, 15, 5))[0]
        yield "postfix/smtpd", f"connect from {client}"
        yield "postfix/smtpd", f"{qid}: client={client}, sasl_method=PLAIN, sasl_username=news"
        yield "postfix/cleanup", f"{qid}: message-id=<{self.tag(24)}@news.example.org>"
        size = chance.randrange(1_500, 90_000)
        yield (
            "postfix/qmgr",
            f"{qid}: from=<{sender}>, size={size}, nrcpt={recipients} (queue active)",
        )
        yield "postfix/smtpd", f"disconnect from {client} ehlo=1 auth=1 mail=1 rcpt=1 data=1 quit=1"
        if chance.random() < 0.5:
            yield (
                "postfix/smtp",
                f"Trusted TLS connection established to {peer.host}[{peer.address}]:25: TLSv1.3 "
                "with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
                "server-signature RSA-PSS (2048 bits) server-digest SHA256",
            )
        yield from self._deliveries(qid, peer, recipients)

    def _deliveries(self, qid: str, peer: GenPeer, recipients: int) -> Iterator[tuple[str, str]]:
        chance = self.random
        agent = f"postfix/smtp {chance.choice(self._pids)}"
        fate = chance.choices(("sent", "deferred", "bounced"), (93, 5, 2))[0]
        before, queued = _tv(chance.lognormvariate(-2.5, 1)), _tv(chance.lognormvariate(-4, 1))
        connect, send = _tv(chance.lognormvariate(-1, 1)), _tv(chance.lognormvariate(-1, 1))
        delays = f"{before}/{queued}/{connect}/{send}"
        total = _tv(sum(map(float, (before, queued, connect, send))))
        relay = f"{peer.host}[{peer.address}]:25"
        for _ in range(recipients):
            rcpt = self.recipient(peer)
            dsn, text = self._verdict(fate, peer, rcpt)
            self.truth[fate] += 1
            yield (
                agent,
                f"{qid}: to=<{rcpt}>, relay={relay}, delay={total}, delays={delays}, "
                f"dsn={dsn}, status={fate} ({text})",
            )
        if fate != "deferred":
            yield "postfix/qmgr 997", f"{qid}: removed"

    def _verdict(self, fate: str, peer: GenPeer, rcpt: str) -> tuple[str, str]:
        if fate == "sent":
            return "2.0.0", f"250 2.0.0 Ok: queued as {self.tag(11)}"
        reply = self.random.choice(_DEFERRALS if fate == "deferred" else _BOUNCES)
        reply = reply.format(rcpt=rcpt, tag=self.tag())
        enhanced = reply[4:].partition(" ")[0]
        said = f"host {peer.host}[{peer.address}] said: {reply} (in reply to RCPT TO command)"
        return enhanced, said


class Exim(_Writer):
    """Exim's main log; `ids` is "new" (4.97 and later) or "old"."""

    def __init__(self, seed: int = 1, ids: str = "new") -> None:
        super().__init__(seed)
        self._old = ids == "old"

    def lines(self) -> Iterator[bytes]:
        """The log, without end."""
        while True:
            identity = self._id()
            for text in self._message():
                yield f"{self.tick():%Y-%m-%d %H:%M:%S} {identity} {text}\n".encode()

    def _id(self) -> str:
        seconds, digits = int((START + timedelta(seconds=self._clock)).timestamp()), ""
        for _ in range(6):
            seconds, digit = divmod(seconds, 62)
            digits = _BASE62[digit] + digits
        if self._old:
            return f"{digits}-{self.tag(6)}-{self.tag(2)}"
        return f"{digits}-{self.tag(11)}-{self.tag(4)}"

    def _message(self) -> Iterator[str]:
        chance = self.random
        peer = self.peer()
        client = f"app{chance.randrange(9)}.example.org [10.1.2.{chance.randrange(2, 250)}]"
        yield (
            f"<= bounce-{chance.randrange(90_000)}@news.example.org H={client} P=esmtpsa "
            "X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no A=plain:news "
            f"S={chance.randrange(1500, 90000)} id={self.tag(24)}@news.example.org"
        )
        yield f"Sender identification U=news S=bounce-{chance.randrange(90_000)}@news.example.org"
        yield f"DKIM: d=news.example.org s=k1 c=relaxed/relaxed a=rsa-sha256 b=2048 {self.tag()}"
        rcpt = self.recipient(peer)
        host = f"H={peer.host} [{peer.address}]"
        fate = chance.choices(("sent", "deferred", "bounced"), (93, 5, 2))[0]
        self.truth[fate] += 1
        if fate == "sent":
            yield (
                f"=> {rcpt} R=dnslookup T=remote_smtp {host} X=TLS1.3:TLS_AES_256_GCM_SHA384:256"
                f' CV=yes C="250 2.0.0 Ok: queued as {self.tag(11)}" QT=2s DT=1s'
            )
            yield "Completed QT=2s"
            return
        reply = chance.choice(_DEFERRALS if fate == "deferred" else _BOUNCES)
        reply = _folded(reply.format(rcpt=rcpt, tag=self.tag()), "\\n")
        words = f"SMTP error from remote mail server after RCPT TO:<{rcpt}>: {reply}"
        if fate == "deferred":
            yield f"== {rcpt} R=dnslookup T=remote_smtp defer (-44) {host}: {words}"
        else:
            yield f"** {rcpt} R=dnslookup T=remote_smtp {host} : {words}"
            yield "Completed"


def _peer(rank: int) -> GenPeer:
    """The domain of this rank: the first ones share the large receivers."""
    shares = [large for large in _LARGE for _ in range(large[2])]
    if rank < 5 * len(shares):
        host, address, _ = shares[rank % len(shares)]
        return GenPeer(f"popular{rank}.example", host, address)
    return GenPeer(
        f"domain{rank}.example",
        f"mx.domain{rank}.example",
        f"192.0.{2 + rank // 250}.{rank % 250}",
    )


def _folded(reply: str, joint: str) -> str:
    """A reply of several lines with another joint than Postfix's blank."""
    code = reply[:3]
    if reply[3] == "-":
        reply = reply.replace(f" {code}-", f"{joint}{code}-").replace(
            f" {code} ", f"{joint}{code} "
        )
    return reply


def _tv(seconds: float) -> str:
    """A time as Postfix prints it: two digits that matter, no zeros at the end."""
    if seconds >= 10:
        return str(int(seconds))
    text = f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"
    return text.rstrip("0").rstrip(".") or "0"


def main() -> None:
    """Writes a log to standard output."""
    parser = argparse.ArgumentParser(description="Writes a mail log for benchmarks.")
    parser.add_argument("kind", choices=("postfix", "exim"))
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--stamps", choices=("traditional", "rfc3339"), default="traditional")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    writer = Exim(options.seed) if options.kind == "exim" else Postfix(options.seed, options.stamps)
    sys.stdout.buffer.writelines(islice(writer.lines(), options.lines))


if __name__ == "__main__":
    main()
